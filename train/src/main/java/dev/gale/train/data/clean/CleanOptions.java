package dev.gale.train.data.clean;

import dev.gale.tensor.InputException;
import java.util.List;
import java.util.Set;

/// What `Cleaner` takes out. Rows lose nothing else.
///
/// @param columns         that carry the text; when empty, those known to, or else all
/// @param exactDuplicates take out texts that stood there before
/// @param nearDuplicates  smallest Jaccard index of word triples at which texts are one; 0 for none
/// @param personal        what happens to rows with personal data
/// @param kinds           kinds of personal data that count
/// @param languages       to keep; when empty, all. Texts too short to tell are kept
/// @param minChars        of the whole text
/// @param maxChars        of the whole text, 0 for any number
/// @param emptyAnswers    keep rows whose answer is empty
/// @param maxSymbols      largest share of symbols
/// @param maxRepetition   largest share of repeated lines or word 5-grams
/// @param maxBroken       largest share of broken characters
public record CleanOptions(List<String> columns, boolean exactDuplicates, double nearDuplicates, PersonalData.Action personal,
                           Set<PersonalData> kinds, Set<String> languages, int minChars, int maxChars, boolean emptyAnswers,
                           double maxSymbols, double maxRepetition, double maxBroken) {
    public CleanOptions {
        if (minChars < 0 || maxChars < 0 || maxChars > 0 && minChars > maxChars) {
            throw new InputException("--min-chars %d and --max-chars %d leave no length: give a range"
                    .formatted(minChars, maxChars));
        }
        requireShare("--max-symbols", maxSymbols);
        requireShare("--max-repetition", maxRepetition);
        requireShare("--max-broken", maxBroken);
        if (!languages.isEmpty()) Language.requireKnown(languages);
    }

    private static void requireShare(String name, double share) {
        if (!(share >= 0 && share <= 1)) throw new InputException("%s must be between 0 and 1, got %s".formatted(name, share));
    }
}
