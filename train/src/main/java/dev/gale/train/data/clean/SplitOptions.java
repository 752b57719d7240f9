package dev.gale.train.data.clean;

import dev.gale.tensor.InputException;
import java.util.List;
import java.util.Optional;

/// How `Splitter` divides rows.
///
/// @param testSize       share of the rows, or their number from 1 on
/// @param validationSize the same for a third part, 0 for none
/// @param stratify       column whose values have the same shares in all parts
/// @param byTime         column of times: test and validation get the newest rows
/// @param byGroup        column whose equal values stay together
/// @param nearDuplicates Jaccard index of word triples from which rows stay together, 0 for only equal texts
/// @param columns        that carry the text; when empty, those known to, or else all
/// @param seed           of the choice
public record SplitOptions(double testSize, double validationSize, Optional<String> stratify, Optional<String> byTime,
                           Optional<String> byGroup, double nearDuplicates, List<String> columns, long seed) {
    public SplitOptions {
        requireSize("--test-size", testSize, testSize > 0);
        requireSize("--validation-size", validationSize, validationSize >= 0);
        if (stratify.isPresent() && byTime.isPresent()) {
            throw new InputException("--stratify and --by-time both say which rows are tested on: give one");
        }
    }

    private static void requireSize(String name, double size, boolean above) {
        if (above && (size < 1 || size == Math.rint(size))) return;
        throw new InputException("%s must be a share below 1 or a whole number of rows, got %s".formatted(name, size));
    }
}
