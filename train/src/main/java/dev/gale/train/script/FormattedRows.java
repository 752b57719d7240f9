package dev.gale.train.script;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.tensor.InputException;
import dev.gale.train.data.Dataset;
import dev.gale.train.data.DatasetConfig;
import dev.gale.train.data.Row;
import dev.gale.train.data.read.ReadOptions;
import dev.gale.train.data.read.RowReader;
import dev.gale.train.data.read.RowSource;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A dataset whose rows a function of people's own makes of those in the file: `formatting_func`. It gets a row, values by
/// column, and returns the text to train on, or a row in one of the formats that Gale reads.
public final class FormattedRows {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String NAME = "formatting_func";

    private final ScriptFunction function;
    private final DatasetConfig config;
    private final Path script;

    private FormattedRows(ScriptFunction function, DatasetConfig config, Path script) {
        this.function = function;
        this.config = config;
        this.script = script;
    }

    /// Loads a dataset through a script, row by row, and then as usual. What it makes is in temporary files until Java ends.
    ///
    /// Throws InputException when the script fails for a row or returns what is no row, and whatever loading throws.
    public static Dataset load(DatasetConfig config, Path script) {
        Path folder = null;
        Dataset dataset = null;
        try (ScriptFunction function = ScriptFunction.load(script, NAME)) {
            folder = Files.createTempDirectory("gale-formatted");
            folder.toFile().deleteOnExit();
            FormattedRows rows = new FormattedRows(function, config, script);
            Path train = rows.write(config.reading(), folder.resolve("train"));
            Optional<Path> eval = Optional.empty();
            if (config.evalReading().isPresent()) {
                eval = Optional.of(rows.write(config.evalReading().get(), folder.resolve("eval")));
            }
            dataset = Dataset.load(config.withRows(train, eval));
            return dataset;
        } catch (IOException e) {
            throw new UncheckedIOException("rows of %s cannot be written: %s".formatted(script, e.getMessage()), e);
        } finally {
            if (dataset == null) remove(folder);
        }
    }

    private Path write(ReadOptions input, Path folder) throws IOException {
        Path output = Files.createDirectory(folder).resolve(input.path().getFileName() + ".jsonl");
        folder.toFile().deleteOnExit();
        output.toFile().deleteOnExit();
        boolean any = false;
        try (RowReader rows = RowSource.of(input).open(); BufferedWriter out = Files.newBufferedWriter(output)) {
            for (Row row = rows.next(); row != null; row = rows.next()) {
                out.write(formatted(row));
                out.write('\n');
                any = true;
            }
        }
        if (!any) throw new InputException("the dataset %s is empty; it needs at least one row".formatted(input.path()));
        return output;
    }

    private String formatted(Row row) throws JsonProcessingException {
        Object made = function.call(row.values(), row.place());
        if (made instanceof String text) return JSON.writeValueAsString(Map.of(config.textField(), text));
        if (made instanceof Map<?, ?> columns && !columns.isEmpty()) return JSON.writeValueAsString(columns);
        throw new InputException("%s: %s returns %s for %s; it must return a text, or an object with a value per column"
                .formatted(script, NAME, made == null ? "nothing" : made instanceof List ? "a list"
                        : made instanceof Map ? "an empty object" : "the value " + made, row.place()));
    }

    private static void remove(Path folder) {
        if (folder == null) return;
        try (var files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) Files.delete(file);
        } catch (IOException e) {
            throw new UncheckedIOException("temporary files in %s cannot be removed: %s".formatted(folder, e.getMessage()), e);
        }
    }
}
