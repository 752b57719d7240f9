package dev.gale.train.data.report;

import dev.gale.tensor.InputException;
import dev.gale.train.data.read.ReadOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// What a report is about.
///
/// @param name           what people call the data
/// @param rows           to train on
/// @param validation     to evaluate on, to look for in the others
/// @param tokenizer      folder or `tokenizer.json`; without, lengths are estimated
/// @param maxLength      `max_length` of the training, in tokens
/// @param assistantOnly  `assistant_only_loss` of the training
/// @param nearDuplicates smallest Jaccard index of word triples of texts that count as one
/// @param columns        that carry the text; when empty, those known to, or else all
/// @param examples       rows to show
public record ReportOptions(String name, ReadOptions rows, Optional<ReadOptions> validation, Optional<Path> tokenizer,
                            int maxLength, boolean assistantOnly, double nearDuplicates, List<String> columns, int examples) {
    public ReportOptions {
        if (maxLength < 1) throw new InputException("--max-length must be at least 1, got " + maxLength);
        if (examples < 0) throw new InputException("--examples must be at least 0, got " + examples);
    }
}
