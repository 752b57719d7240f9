package dev.gale.train.script;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.tensor.InputException;
import dev.gale.train.data.Dataset;
import dev.gale.train.data.DatasetConfig;
import dev.gale.train.data.clean.RawRow;
import dev.gale.train.data.clean.RowSource;
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
    private static final int CHUNK = 256;

    private final ScriptFunction function;
    private final DatasetConfig config;

    private FormattedRows(ScriptFunction function, DatasetConfig config) {
        this.function = function;
        this.config = config;
    }

    /// Loads a dataset through a script, row by row, and then as usual.
    ///
    /// Throws InputException when the script fails for a row or returns what is no row, and whatever loading throws.
    public static Dataset load(DatasetConfig config, Path script) {
        Path folder = null;
        try (ScriptFunction function = ScriptFunction.load(script, NAME)) {
            folder = Files.createTempDirectory("gale-formatted");
            FormattedRows rows = new FormattedRows(function, config);
            Path train = rows.write(config.path(), folder.resolve("train"), script);
            Optional<Path> eval = Optional.empty();
            if (config.evalPath().isPresent()) eval = Optional.of(rows.write(config.evalPath().get(), folder.resolve("eval"), script));
            return Dataset.load(config.withPaths(train, eval));
        } catch (IOException e) {
            throw new UncheckedIOException("rows of %s cannot be written: %s".formatted(script, e.getMessage()), e);
        } finally {
            remove(folder);
        }
    }

    private Path write(Path input, Path folder, Path script) throws IOException {
        Path output = Files.createDirectory(folder).resolve(input.getFileName() + ".jsonl");
        int most = config.maxSamples() == 0 ? Integer.MAX_VALUE : config.maxSamples();
        int written = 0;
        try (RowSource source = RowSource.open(input); BufferedWriter out = Files.newBufferedWriter(output)) {
            for (List<RawRow> rows = source.next(CHUNK); !rows.isEmpty() && written < most; rows = source.next(CHUNK)) {
                for (RawRow row : rows.subList(0, Math.min(rows.size(), most - written))) {
                    out.write(formatted(row, script));
                    out.newLine();
                    written++;
                }
            }
        }
        if (written == 0) throw new InputException("the dataset %s is empty; it needs at least one row".formatted(input));
        return output;
    }

    private String formatted(RawRow row, Path script) throws JsonProcessingException {
        Object made = function.call(row.values(), row.place());
        if (made instanceof String text) return JSON.writeValueAsString(Map.of(config.textField(), text));
        if (made instanceof Map<?, ?> columns && !columns.isEmpty()) return JSON.writeValueAsString(columns);
        throw new InputException("%s: %s returns %s for %s; it must return a text, or an object with a value per column".formatted(script,
                NAME, made == null ? "nothing" : made instanceof List ? "a list" : made instanceof Map ? "an empty object"
                : "the value " + made, row.place()));
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
