package dev.gale.train.data;

import dev.gale.tensor.InputException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// Which rows to train on and how to read them; in YAML the `dataset` section, names in snake_case.
///
/// @param path            JSON or JSONL file
/// @param evalPath        file of held-out rows
/// @param format          meaning of the columns; when empty, the columns of the first row tell
/// @param textField       column of raw text
/// @param promptField     column of prompts
/// @param completionField column of completions
/// @param template        text with `{column}` places; its last one, and what follows, is the completion
/// @param chatTemplate    file of a chat template that replaces the tokenizer's
/// @param maxSamples      rows to read at most, 0 for all
/// @param testSize        rows to hold out when there is no `evalPath`: a share below 1, or a number
/// @param shuffleSeed     decides which rows are held out
public record DatasetConfig(Path path, Optional<Path> evalPath, Optional<RowFormat> format, String textField,
                            String promptField, String completionField, Optional<String> template,
                            Optional<Path> chatTemplate, int maxSamples, double testSize, long shuffleSeed) {
    /// The keys of the YAML section.
    public static final List<String> KEYS = List.of("path", "eval_path", "format", "text_field", "prompt_field",
            "completion_field", "template", "chat_template", "max_samples", "test_size", "shuffle_seed");

    public DatasetConfig {
        if (maxSamples < 0) throw new InputException("dataset.max_samples must be at least 0, got " + maxSamples);
        boolean count = testSize >= 1 && testSize == Math.rint(testSize) && testSize < Integer.MAX_VALUE;
        if (!(testSize >= 0 && testSize < 1 || count)) {
            throw new InputException("dataset.test_size must be a share below 1 or a whole number of rows, got "
                    + testSize);
        }
        if (evalPath.isPresent() && testSize > 0) {
            throw new InputException("dataset.eval_path and dataset.test_size both say what to evaluate on; give one");
        }
        if (format.isPresent() && (format.get() == RowFormat.TEMPLATE) != template.isPresent()) {
            throw new InputException("dataset.format 'template' and dataset.template belong together; give both or "
                    + "leave the format out");
        }
    }

    /// The defaults: columns tell the format, all rows, none held out.
    public static DatasetConfig of(Path path) {
        return from(Map.of("path", path.toString()));
    }

    /// Reads the `dataset` section of a configuration, values as YAML or JSON gives them.
    ///
    /// Throws InputException for an unknown key or a value of the wrong kind.
    public static DatasetConfig from(Map<String, Object> section) {
        for (String key : section.keySet()) {
            if (!KEYS.contains(key)) throw InputException.unknown("key of dataset", key, KEYS);
        }
        Path path = text(section, "path").map(Path::of).orElseThrow(() ->
                new InputException("dataset.path is missing; give the path of a JSON or JSONL file"));
        return new DatasetConfig(path, text(section, "eval_path").map(Path::of),
                text(section, "format").map(DatasetConfig::format), text(section, "text_field").orElse("text"),
                text(section, "prompt_field").orElse("prompt"), text(section, "completion_field").orElse("completion"),
                text(section, "template"), text(section, "chat_template").map(Path::of),
                (int) number(section, "max_samples", 0), number(section, "test_size", 0),
                (long) number(section, "shuffle_seed", 42));
    }

    /// The same data with this formatting template.
    public DatasetConfig withTemplate(String text) {
        return new DatasetConfig(path, evalPath, format, textField, promptField, completionField, Optional.of(text),
                chatTemplate, maxSamples, testSize, shuffleSeed);
    }

    /// The same data with these rows held out.
    public DatasetConfig withTestSize(double size) {
        return new DatasetConfig(path, evalPath, format, textField, promptField, completionField, template,
                chatTemplate, maxSamples, size, shuffleSeed);
    }

    private static RowFormat format(String name) {
        List<String> known = Arrays.stream(RowFormat.values()).map(f -> f.name().toLowerCase(Locale.ROOT)).toList();
        int index = known.indexOf(name.toLowerCase(Locale.ROOT).replace('-', '_'));
        if (index < 0) throw InputException.unknown("dataset.format", name, known);
        return RowFormat.values()[index];
    }

    private static Optional<String> text(Map<String, Object> section, String key) {
        Object value = section.get(key);
        if (value == null) return Optional.empty();
        if (value instanceof String text) return Optional.of(text);
        throw new InputException("dataset.%s must be text, got %s".formatted(key, value));
    }

    private static double number(Map<String, Object> section, String key, double usual) {
        Object value = section.get(key);
        if (value == null) return usual;
        boolean whole = !key.equals("test_size");
        if (value instanceof Number n && Double.isFinite(n.doubleValue())
                && (!whole || n.doubleValue() == Math.rint(n.doubleValue()))) return n.doubleValue();
        throw new InputException("dataset.%s must be a %s, got %s"
                .formatted(key, whole ? "whole number" : "number", value));
    }
}
