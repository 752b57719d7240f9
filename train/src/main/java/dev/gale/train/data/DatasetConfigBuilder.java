package dev.gale.train.data;

import dev.gale.train.data.read.DataFiles;
import dev.gale.train.data.read.SampleBy;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Builds a `DatasetConfig`; every option has its default until it is set.
public final class DatasetConfigBuilder {
    private Path path;
    private Optional<String> name = Optional.empty();
    private DataFiles dataFiles = DataFiles.NONE;
    private String split = "train";
    private Optional<Path> evalPath = Optional.empty();
    private Optional<String> evalSplit = Optional.empty();
    private Map<String, String> columns = Map.of();
    private Optional<String> where = Optional.empty();
    private SampleBy sampleBy = SampleBy.LINE;
    private Optional<RowFormat> format = Optional.empty();
    private String textField = "text";
    private String promptField = "prompt";
    private String completionField = "completion";
    private Optional<String> template = Optional.empty();
    private Optional<Path> chatTemplate = Optional.empty();
    private int maxSamples;
    private double testSize;
    private long shuffleSeed = 42;
    private Optional<Path> cacheDir = Optional.empty();

    DatasetConfigBuilder(Path path) {
        this.path = path;
    }

    DatasetConfigBuilder(DatasetConfig from) {
        path = from.path();
        name = from.name();
        dataFiles = from.dataFiles();
        split = from.split();
        evalPath = from.evalPath();
        evalSplit = from.evalSplit();
        columns = from.columns();
        where = from.where();
        sampleBy = from.sampleBy();
        format = from.format();
        textField = from.textField();
        promptField = from.promptField();
        completionField = from.completionField();
        template = from.template();
        chatTemplate = from.chatTemplate();
        maxSamples = from.maxSamples();
        testSize = from.testSize();
        shuffleSeed = from.shuffleSeed();
        cacheDir = from.cacheDir();
    }

    public DatasetConfigBuilder name(String value) {
        name = Optional.of(value);
        return this;
    }

    /// Patterns of files of the split `train`.
    public DatasetConfigBuilder dataFiles(String... patterns) {
        dataFiles = DataFiles.of(List.of(patterns), "data_files");
        return this;
    }

    public DatasetConfigBuilder split(String value) {
        split = value;
        return this;
    }

    public DatasetConfigBuilder evalPath(Path value) {
        evalPath = Optional.of(value);
        return this;
    }

    public DatasetConfigBuilder evalSplit(String value) {
        evalSplit = Optional.of(value);
        return this;
    }

    public DatasetConfigBuilder columns(Map<String, String> value) {
        columns = value;
        return this;
    }

    public DatasetConfigBuilder where(String value) {
        where = Optional.of(value);
        return this;
    }

    public DatasetConfigBuilder sampleBy(SampleBy value) {
        sampleBy = value;
        return this;
    }

    public DatasetConfigBuilder format(RowFormat value) {
        format = Optional.of(value);
        return this;
    }

    public DatasetConfigBuilder textField(String value) {
        textField = value;
        return this;
    }

    public DatasetConfigBuilder promptField(String value) {
        promptField = value;
        return this;
    }

    public DatasetConfigBuilder completionField(String value) {
        completionField = value;
        return this;
    }

    public DatasetConfigBuilder template(String value) {
        template = Optional.of(value);
        return this;
    }

    public DatasetConfigBuilder chatTemplate(Path value) {
        chatTemplate = Optional.of(value);
        return this;
    }

    public DatasetConfigBuilder maxSamples(int value) {
        maxSamples = value;
        return this;
    }

    public DatasetConfigBuilder testSize(double value) {
        testSize = value;
        return this;
    }

    public DatasetConfigBuilder shuffleSeed(long value) {
        shuffleSeed = value;
        return this;
    }

    public DatasetConfigBuilder cacheDir(Path value) {
        cacheDir = Optional.of(value);
        return this;
    }

    public DatasetConfig build() {
        return new DatasetConfig(path, name, dataFiles, split, evalPath, evalSplit, columns, where, sampleBy, format, textField,
                promptField, completionField, template, chatTemplate, maxSamples, testSize, shuffleSeed, cacheDir);
    }
}
