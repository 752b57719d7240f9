package dev.gale.train.data;

import dev.gale.tensor.InputException;
import dev.gale.train.data.read.DataFiles;
import dev.gale.train.data.read.ReadOptions;
import dev.gale.train.data.read.SampleBy;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/// Which rows to train on and how to read them; in YAML the `dataset` section, names in snake_case.
///
/// @param path            JSON, JSONL, CSV, TSV, Parquet or text file, packed with gzip or zip or not; a folder of files such
///                        as a dataset of the hub; or a pattern such as `data/*.jsonl`
/// @param name            configuration of a folder whose README.md describes several
/// @param dataFiles       files of the folder: a pattern, a list, or those by split
/// @param split           rows of it to train on, as `datasets` writes them: `train`, `train[:10%]`, `train[:100]+test`
/// @param evalPath        file or folder of held-out rows
/// @param evalSplit       held-out rows of `evalPath`, or, without that, of `path`
/// @param columns         names that columns get, and those that they have in the files: `{prompt: question}`
/// @param where           condition in SQL on the columns as the files name them: `length(output) > 20`
/// @param sampleBy        what a row of a plain text file is: line, paragraph or document
/// @param format          meaning of the columns; when empty, the columns of the first row tell
/// @param textField       column of raw text
/// @param promptField     column of prompts
/// @param completionField column of completions
/// @param template        text with `{column}` places; its last one, and what follows, is the completion
/// @param chatTemplate    file of a chat template that replaces the tokenizer's, or the name of one, e.g. `chatml`
/// @param maxSamples      rows to read at most, 0 for all
/// @param testSize        rows to hold out when nothing else says which: a share below 1, or a number
/// @param shuffleSeed     decides which rows are held out
/// @param cacheDir        folder of tokenized rows; when empty, `GALE_CACHE` or the user's cache folder
public record DatasetConfig(Path path, Optional<String> name, DataFiles dataFiles, String split, Optional<Path> evalPath,
                            Optional<String> evalSplit, Map<String, String> columns, Optional<String> where, SampleBy sampleBy,
                            Optional<RowFormat> format, String textField, String promptField, String completionField,
                            Optional<String> template, Optional<Path> chatTemplate, int maxSamples, double testSize,
                            long shuffleSeed, Optional<Path> cacheDir) {
    /// Columns that formats read.
    private static final List<String> KNOWN_COLUMNS = List.of("text", "prompt", "completion", "instruction", "input", "output",
            "messages", "conversations", "segments", "system", "chosen", "rejected", "label", "tools", "documents",
            "chat_template_kwargs", "input_ids", "labels", "attention_mask", "completion_mask", "assistant_masks");

    public DatasetConfig {
        if (maxSamples < 0) throw new InputException("dataset.max_samples must be at least 0, got " + maxSamples);
        boolean count = testSize >= 1 && testSize == Math.rint(testSize) && testSize < Integer.MAX_VALUE;
        if (!(testSize >= 0 && testSize < 1 || count)) {
            throw new InputException("dataset.test_size must be a share below 1 or a whole number of rows, got "
                    + testSize);
        }
        if ((evalPath.isPresent() || evalSplit.isPresent()) && testSize > 0) {
            throw new InputException("dataset.%s and dataset.test_size both say what to evaluate on; give one"
                    .formatted(evalPath.isPresent() ? "eval_path" : "eval_split"));
        }
        if (format.isPresent() && (format.get() == RowFormat.TEMPLATE) != template.isPresent()) {
            throw new InputException("dataset.format 'template' and dataset.template belong together; give both or "
                    + "leave the format out");
        }
        columns = new LinkedHashMap<>(columns);
        if (template.isEmpty()) requireKnown(columns.keySet(), List.of(textField, promptField, completionField));
    }

    private static void requireKnown(Set<String> names, List<String> fields) {
        Set<String> known = new LinkedHashSet<>(KNOWN_COLUMNS);
        known.addAll(fields);
        for (String name : names) {
            if (!known.contains(name)) throw InputException.unknown("name in dataset.columns", name, known);
        }
    }

    /// The defaults: columns tell the format, all rows of the split `train`, none held out.
    public static DatasetConfig of(Path path) {
        return builder(path).build();
    }

    /// The defaults, to be changed.
    public static DatasetConfigBuilder builder(Path path) {
        return new DatasetConfigBuilder(path);
    }

    /// This, to be changed.
    public DatasetConfigBuilder toBuilder() {
        return new DatasetConfigBuilder(this);
    }

    /// The same data with this formatting template.
    public DatasetConfig withTemplate(String text) {
        return toBuilder().template(text).build();
    }

    /// The same data with prompts and completions in these columns.
    public DatasetConfig withFields(String prompt, String completion) {
        return toBuilder().promptField(prompt).completionField(completion).build();
    }

    /// The same data with the chat template of this file.
    public DatasetConfig withChatTemplate(Path file) {
        return toBuilder().chatTemplate(file).build();
    }

    /// The same data with these rows held out.
    public DatasetConfig withTestSize(double size) {
        return toBuilder().testSize(size).build();
    }

    /// The rows to train on, with those that `testSize` holds out.
    public ReadOptions reading() {
        return new ReadOptions(path, name, dataFiles, split, columns, where, sampleBy, maxSamples);
    }

    /// The rows that `evalPath` and `evalSplit` hold out; empty without them.
    public Optional<ReadOptions> evalReading() {
        if (evalPath.isEmpty() && evalSplit.isEmpty()) return Optional.empty();
        return Optional.of(new ReadOptions(evalPath.orElse(path), name, evalPath.isPresent() ? DataFiles.NONE : dataFiles,
                evalSplit.orElse("train"), columns, where, sampleBy, maxSamples));
    }

    /// The same rows at other places.
    ///
    /// @param place where a file or folder is, from what the configuration says
    public DatasetConfig located(UnaryOperator<Path> place) {
        return new DatasetConfig(place.apply(path), name, dataFiles, split, evalPath.map(place), evalSplit, columns, where,
                sampleBy, format, textField, promptField, completionField, template, chatTemplate, maxSamples, testSize,
                shuffleSeed, cacheDir);
    }

    /// The same meaning of columns for rows of other files, all of which are read.
    public DatasetConfig withRows(Path train, Optional<Path> eval) {
        return new DatasetConfig(train, Optional.empty(), DataFiles.NONE, "train", eval, Optional.empty(), Map.of(),
                Optional.empty(), SampleBy.LINE, format, textField, promptField, completionField, template, chatTemplate, 0,
                testSize, shuffleSeed, cacheDir);
    }
}
