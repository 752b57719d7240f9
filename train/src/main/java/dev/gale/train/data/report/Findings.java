package dev.gale.train.data.report;

import dev.gale.train.data.clean.Language;
import dev.gale.train.data.report.Finding.Weight;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// What the facts mean, the weightiest first.
final class Findings {
    private final DataFacts facts;
    private final List<Finding> findings = new ArrayList<>();

    private Findings(DataFacts facts) {
        this.facts = facts;
    }

    static List<Finding> of(DataFacts facts) {
        Findings all = new Findings(facts);
        all.rows();
        all.lengths();
        all.duplicates();
        all.leakage();
        all.answers();
        all.personal();
        all.languages();
        all.text();
        all.balance();
        all.findings.sort(Comparator.comparing(Finding::weight));
        return all.findings;
    }

    private void add(Weight weight, String section, String title, String meaning) {
        findings.add(new Finding(weight, title, meaning, section));
    }

    private static String percent(double part, double all) {
        double share = all == 0 ? 0 : 100 * part / all;
        return share > 0 && share < 0.1 ? "under 0.1 %" : String.format(Locale.ROOT, "%.1f %%", share);
    }

    private String ofRows(long count) {
        return "%,d of %,d rows (%s)".formatted(count, facts.readable(), percent(count, facts.readable()));
    }

    private void rows() {
        if (facts.unreadable.count() > 0) {
            add(Weight.PROBLEM, "rows", "%,d rows cannot be read".formatted(facts.unreadable.count()),
                    "Training stops at the first of them. Correct or remove them.");
        }
        if (facts.untrained.count() > 0) {
            add(Weight.PROBLEM, "lengths", ofRows(facts.untrained.count()) + " have no token to learn",
                    "Training leaves them out: their answer is empty or begins beyond the maximal length.");
        }
    }

    private void lengths() {
        int max = facts.options.maxLength();
        long beyond = facts.tokens.beyond(max);
        if (beyond == 0) {
            add(Weight.FINE, "lengths", "Every row fits into %,d tokens".formatted(max),
                    "Nothing is cut off. The longest row has %,d tokens.".formatted(facts.tokens.percentile(1)));
            return;
        }
        boolean much = beyond > 0.05 * facts.readable();
        add(much ? Weight.PROBLEM : Weight.LOOK, "lengths", ofRows(beyond) + " are longer than %,d tokens".formatted(max),
                ("Their ends are cut off, %s of all tokens, and the model learns to stop in the middle. A max_length of %,d "
                        + "keeps 99 %% of the rows whole.")
                        .formatted(percent(facts.tokens.cut(max), facts.tokens.sum()), facts.tokens.percentile(0.99)));
    }

    private void duplicates() {
        long all = facts.near.count();
        if (all == 0 && facts.exact.count() == 0) {
            add(Weight.FINE, "duplicates", "No row is there twice", "Neither word for word nor nearly.");
        } else {
            long count = Math.max(all, facts.exact.count());
            add(count > 0.05 * facts.readable() ? Weight.PROBLEM : Weight.LOOK, "duplicates",
                    ofRows(count) + " repeat an earlier row",
                    "Repeated rows weigh more than others and are learned by heart. `gale data clean` takes them out.");
        }
        if (facts.asked.count() > 0) {
            add(Weight.LOOK, "duplicates", ofRows(facts.asked.count())
                    + " ask what an earlier row asks, and get another answer",
                    "Good where several answers are right; where only one is, they contradict each other.");
        }
    }

    private void leakage() {
        if (facts.options.validation().isEmpty()) return;
        long leaked = Math.max(facts.leakedNear.count(), facts.leakedExact.count());
        if (leaked == 0) {
            add(Weight.FINE, "leakage", "No validation row is in the training data",
                    "Its loss tells how the model does on new text.");
            return;
        }
        add(Weight.PROBLEM, "leakage", "%,d of %,d validation rows are in the training data too"
                .formatted(leaked, facts.validationRows),
                "Their loss shows what was learned by heart and looks better than it is. `gale data split` makes "
                        + "parts that share nothing.");
    }

    private void answers() {
        if (facts.emptyAnswers.count() > 0) {
            add(Weight.PROBLEM, "answers", ofRows(facts.emptyAnswers.count()) + " have an empty answer",
                    "They teach the model to say nothing. `gale data clean` takes them out.");
        }
        if (facts.truncated.count() > 0) {
            boolean much = facts.truncated.count() > 0.05 * facts.readable();
            add(much ? Weight.PROBLEM : Weight.LOOK, "answers", ofRows(facts.truncated.count())
                    + " have an answer that seems to break off",
                    "A long answer that ends in a letter or a comma. The model learns to stop there too: look at some of "
                            + "them.");
        }
    }

    private void personal() {
        long rows = facts.personal.values().stream().mapToLong(Lines::count).max().orElse(0);
        if (rows == 0) {
            add(Weight.FINE, "personal", "No personal data was found", "By its form: names and addresses of people have none.");
            return;
        }
        add(Weight.PROBLEM, "personal", "Personal data or secrets in up to "
                + ofRows(facts.personal.values().stream().mapToLong(Lines::count).sum()),
                "Models repeat what they saw. `gale data clean --personal-data mask` puts placeholders in its place.");
    }

    private void languages() {
        long known = facts.readable() - facts.languages.getOrDefault(Language.UNKNOWN, 0L);
        if (known == 0) return;
        Map.Entry<String, Long> most = facts.languages.entrySet().stream().filter(e -> !e.getKey().equals(Language.UNKNOWN))
                .max(Map.Entry.comparingByValue()).orElseThrow();
        double share = (double) most.getValue() / known;
        if (share >= 0.98) {
            add(Weight.FINE, "languages", "%s of the rows are in one language (%s)".formatted(percent(most.getValue(), known),
                    most.getKey()),
                    "The few others may be mistakes of the detector.");
        } else {
            add(Weight.LOOK, "languages", "%d languages; %s of the rows are in %s".formatted(facts.languages.size(),
                    percent(most.getValue(), known), most.getKey()), "Meant so? `gale data clean --languages %s` keeps one."
                    .formatted(most.getKey()));
        }
    }

    private void text() {
        if (facts.broken.count() > 0) {
            add(Weight.PROBLEM, "text", ofRows(facts.broken.count()) + " have characters that a wrong encoding left",
                    "Such as Ã© where é is meant. Read the source as UTF-8 again, or `gale data clean --max-broken 0.001`.");
        }
        long odd = facts.repetitive.count() + facts.symbols.count();
        if (odd > 0) {
            add(Weight.LOOK, "text", ofRows(odd) + " repeat themselves or are mostly symbols",
                    "Right for code and tables, a sign of poor sources elsewhere. See --max-repetition and --max-symbols of "
                            + "`gale data clean`.");
        }
    }

    private void balance() {
        facts.balances().forEach((column, counts) -> {
            long most = counts.values().stream().mapToLong(Long::longValue).max().orElse(0);
            long least = counts.values().stream().mapToLong(Long::longValue).min().orElse(0);
            if (most < 10 * least) return;
            add(Weight.LOOK, "labels", "The values of '%s' are far from even: %,d to %,d rows".formatted(column, most, least),
                    ("A model may do well by always giving the most frequent one. Split with `--stratify %s` and measure each "
                            + "value by itself.")
                            .formatted(column));
        });
    }
}
