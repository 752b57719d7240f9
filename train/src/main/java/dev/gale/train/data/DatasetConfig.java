package dev.gale.train.data;

import dev.gale.tensor.InputException;
import java.nio.file.Path;
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
        return new DatasetConfig(path, Optional.empty(), Optional.empty(), "text", "prompt", "completion",
                Optional.empty(), Optional.empty(), 0, 0, 42);
    }

    /// The same data with this formatting template.
    public DatasetConfig withTemplate(String text) {
        return new DatasetConfig(path, evalPath, format, textField, promptField, completionField, Optional.of(text),
                chatTemplate, maxSamples, testSize, shuffleSeed);
    }

    /// The same data with prompts and completions in these columns.
    public DatasetConfig withFields(String prompt, String completion) {
        return new DatasetConfig(path, evalPath, format, textField, prompt, completion, template, chatTemplate,
                maxSamples, testSize, shuffleSeed);
    }

    /// The same data with the chat template of this file.
    public DatasetConfig withChatTemplate(Path file) {
        return new DatasetConfig(path, evalPath, format, textField, promptField, completionField, template,
                Optional.of(file), maxSamples, testSize, shuffleSeed);
    }

    /// The same data with these rows held out.
    public DatasetConfig withTestSize(double size) {
        return new DatasetConfig(path, evalPath, format, textField, promptField, completionField, template,
                chatTemplate, maxSamples, size, shuffleSeed);
    }

    /// The same for rows of other files.
    public DatasetConfig withPaths(Path train, Optional<Path> eval) {
        return new DatasetConfig(train, eval, format, textField, promptField, completionField, template, chatTemplate,
                maxSamples, testSize, shuffleSeed);
    }
}
