package dev.gale.train.data.report;

import dev.gale.tensor.InputException;
import dev.gale.train.data.clean.PersonalData;
import dev.gale.train.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// Writes a page about data that will be trained on: what it holds, what is wrong with it and what that means. One HTML file,
/// without anything from elsewhere.
public final class DataReport {
    private final DataFacts facts;
    private final List<Finding> findings;
    private final Optional<Tokenizer> tokenizer;
    private final Html html = new Html();

    private DataReport(DataFacts facts, Optional<Tokenizer> tokenizer) {
        this.facts = facts;
        this.findings = Findings.of(facts);
        this.tokenizer = tokenizer;
    }

    /// Reads the data and writes the page, in place of one that is there. Returns its findings that are more than fine.
    ///
    /// Throws InputException when a file is missing, cut off or has no row that can be read, or the tokenizer does not fit.
    public static List<String> write(ReportOptions options, Path page) {
        Optional<Tokenizer> tokenizer = options.tokenizer().map(Tokenizer::load);
        try {
            DataReport report = new DataReport(DataFacts.of(options, tokenizer), tokenizer);
            Path fresh = page.resolveSibling(page.getFileName() + ".partial");
            Files.createDirectories(page.toAbsolutePath().getParent());
            Files.writeString(fresh, report.page());
            Files.move(fresh, page, StandardCopyOption.REPLACE_EXISTING);
            return report.findings.stream().filter(finding -> finding.weight() != Finding.Weight.FINE)
                    .map(finding -> finding.weight().word + ": " + finding.title()).toList();
        } catch (IOException e) {
            throw new InputException("%s cannot be written (%s): name another file".formatted(page, e.getMessage()), e);
        } finally {
            tokenizer.ifPresent(Tokenizer::close);
        }
    }

    private String page() {
        String name = facts.options.name();
        html.add("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                + "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Data report: ").text(name)
                .add("</title><style>\n").add(style()).add("</style></head><body>\n<header><h1>Data report: ").text(name)
                .add("</h1><p class=\"quiet\">").text(facts.options.rows().path().toString());
        facts.options.validation().ifPresent(rows -> html.add(", validated on ").text(rows.path() + ", " + rows.split()));
        html.add("; maximal length %,d tokens</p>", facts.options.maxLength());
        tiles();
        html.add("</header><main>");
        findings();
        rows();
        lengths();
        duplicates();
        leakage();
        answers();
        personal();
        languages();
        text();
        labels();
        examples();
        html.add("</main><footer class=\"quiet\">Written by gale data report.</footer></body></html>\n");
        return html.toString();
    }

    private static String style() {
        try (InputStream in = DataReport.class.getResourceAsStream("page.css")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void section(String id, String title, String meaning) {
        html.add("<section id=\"%s\" aria-labelledby=\"%s-title\"><h2 id=\"%s-title\">%s</h2><p>", id, id, id, title);
        html.add(code(meaning)).add("</p>");
    }

    /// Escaped, with `code` in backticks.
    private static String code(String text) {
        return Html.escape(text).replaceAll("`([^`]+)`", "<code>$1</code>");
    }

    private void end() {
        html.add("</section>\n");
    }

    private void tiles() {
        html.add("<dl class=\"tiles\">");
        tile("Rows", String.format(Locale.ROOT, "%,d", facts.rows));
        tile(exactLengths() ? "Tokens" : "Tokens, estimated", String.format(Locale.ROOT, "%,d", facts.tokens.sum()));
        tile("Median length", String.format(Locale.ROOT, "%,d", facts.tokens.percentile(0.5)));
        tile("Longer than max_length", share(facts.tokens.beyond(facts.options.maxLength())));
        tile("Repeat a row", share(Math.max(facts.near.count(), facts.exact.count())));
        if (exactLengths()) tile("Tokens learned", String.format(Locale.ROOT, "%,d", facts.trainedTokens));
        html.add("</dl>");
    }

    private boolean exactLengths() {
        return tokenizer.isPresent();
    }

    private void tile(String what, String value) {
        html.add("<div><dt>%s</dt><dd>%s</dd></div>", what, value);
    }

    private String share(long count) {
        return String.format(Locale.ROOT, "%.1f %%", 100.0 * count / facts.readable());
    }

    private void findings() {
        section("findings", "Findings", "What matters first. Each leads to the part of this page that shows it.");
        html.add("<ul class=\"findings\">");
        for (Finding finding : findings) {
            html.add("<li><span class=\"badge %s\">%s</span><a href=\"#%s\">", finding.weight().style, finding.weight().word,
                    finding.section())
                    .text(finding.title()).add("</a><p>").add(code(finding.meaning())).add("</p></li>");
        }
        html.add("</ul>");
        end();
    }

    private void rows() {
        section("rows", "Rows", "Each row is one example. Rows that cannot be read stop a training before it begins.");
        counts("", Map.of("Rows that cannot be read", facts.unreadable));
        if (!facts.problems.isEmpty()) {
            html.add("<h3>The first of them</h3><ul>");
            facts.problems.forEach(problem -> html.add("<li>").text(problem).add("</li>"));
            html.add("</ul>");
        }
        end();
    }

    private void lengths() {
        Lengths lengths = facts.tokens;
        section("lengths", "Length in tokens", exactLengths()
                ? "Counted with the tokenizer and chat template given. What is beyond max_length is cut off in training."
                : "Estimated as a quarter of the characters: name the model's tokenizer with `--tokenizer` for exact numbers "
                + "and for what is learned.");
        LengthChart.write(html, lengths, facts.options.maxLength(), "tokens");
        html.add("<table><thead><tr><th scope=\"col\" class=\"number\">shortest</th><th scope=\"col\" "
                + "class=\"number\">median</th><th scope=\"col\" class=\"number\">90 %</th><th scope=\"col\" "
                + "class=\"number\">99 %</th><th scope=\"col\" class=\"number\">longest</th></tr></thead><tbody><tr>");
        for (double share : new double[] {0, 0.5, 0.9, 0.99, 1}) {
            html.add("<td class=\"number\">%,d</td>", lengths.percentile(share));
        }
        html.add("</tr></tbody></table>");
        if (exactLengths()) counts("", Map.of("Rows without a token to learn", facts.untrained));
        end();
    }

    private void duplicates() {
        section("duplicates", "Duplicates", ("Near-duplicates share at least %.0f %% of their word triples with another row, "
                + "case and punctuation aside. They count twice in training, and a model learns them by heart.")
                .formatted(100 * facts.options.nearDuplicates()));
        Map<String, Lines> counts = new LinkedHashMap<>();
        counts.put("Same text as an earlier row", facts.exact);
        counts.put("Same or nearly the same text", facts.near);
        counts.put("Same prompt, another answer", facts.asked);
        counts("", counts);
        end();
    }

    private void leakage() {
        section("leakage", "Leakage into validation",
                "Rows that are trained on and evaluated on make an evaluation look better than it is.");
        if (facts.options.validation().isEmpty()) {
            html.add("<p class=\"quiet\">Not looked for: name the file with <code>--validation</code>.</p>");
        } else {
            Map<String, Lines> counts = new LinkedHashMap<>();
            counts.put("Validation rows with the same text in training", facts.leakedExact);
            counts.put("The same or nearly the same", facts.leakedNear);
            html.add("<p>%,d validation rows.</p>", facts.validationRows);
            counts("of the validation file", counts);
        }
        end();
    }

    private void answers() {
        section("answers", "Answers", "What the model learns to say. An empty one teaches it to be silent, one that breaks off "
                + "to stop in the middle of a sentence.");
        if (facts.answers.size() == 0) {
            html.add("<p class=\"quiet\">The rows are text without a prompt, so every token is learned.</p>");
        } else {
            Map<String, Lines> counts = new LinkedHashMap<>();
            counts.put("Empty", facts.emptyAnswers);
            counts.put("Seem to break off", facts.truncated);
            counts("", counts);
            html.add("<p class=\"quiet\">Half of the answers have up to %,d characters, 90 %% up to %,d, the longest %,d.</p>",
                    facts.answers.percentile(0.5), facts.answers.percentile(0.9), facts.answers.percentile(1));
        }
        end();
    }

    private void personal() {
        section("personal", "Personal data and secrets", "Found by form and, for cards, by check digit; some of it may be no "
                + "such thing. Names and postal addresses are not found. The report shows lines only.");
        Map<String, Lines> counts = new LinkedHashMap<>();
        Map<PersonalData, String> names = Map.of(PersonalData.EMAIL, "E-mail addresses", PersonalData.PHONE,
                "Telephone numbers", PersonalData.IP, "IP addresses", PersonalData.CARD, "Payment cards", PersonalData.KEY,
                "Keys, tokens, passwords");
        facts.personal.forEach((kind, lines) -> counts.put(names.get(kind)
                + (facts.pieces.containsKey(kind) ? " (%,d pieces)".formatted(facts.pieces.get(kind)) : ""), lines));
        counts("", counts);
        end();
    }

    private void languages() {
        section("languages", "Languages", "Of each row, by its letters; ? is too short to tell. A few rows in odd languages "
                + "are usually names, code or formulas.");
        Map<String, Long> named = new LinkedHashMap<>();
        facts.languages.forEach((code, count) -> named.put(languageName(code), count));
        shares(named, "language");
        end();
    }

    private static String languageName(String code) {
        String name = Locale.of(code).getDisplayLanguage(Locale.ENGLISH);
        return name.isEmpty() || name.equals(code) ? code : "%s (%s)".formatted(name, code);
    }

    private void text() {
        section("text", "Text", "Readability and variety of the words. A much lower variety than that of other texts of the "
                + "kind means that the rows are alike, often because a program or a model wrote them.");
        html.add("<div class=\"scroll\"><table><tbody>");
        if (facts.englishWords > 0) {
            fact("Reading ease of the English rows (Flesch)", "%.0f".formatted(facts.readingEase()),
                    "90 reads like a children's book, 60 like a newspaper, 30 like a paper in a journal");
        }
        if (facts.sentences > 0) fact("Words in a sentence", "%.1f".formatted((double) facts.words / facts.sentences),
                "plain prose has 15 to 20");
        if (facts.words > 0) fact("Letters in a word", "%.1f".formatted((double) facts.letters / facts.words),
                "English has 4.7, German 5.9");
        if (facts.windows > 0) {
            fact("Type-token ratio over %d words".formatted(WordFacts.WINDOW), "%.2f"
                    .formatted((double) facts.distinct / facts.windows / WordFacts.WINDOW),
                    "distinct words by words; English prose has about 0.8");
        }
        fact("Characters beyond ASCII", "%.2f %%".formatted(100.0 * facts.nonAscii / Math.max(1, facts.chars)),
                "accents, other scripts, emoji, typographic quotes");
        html.add("</tbody></table></div>");
        Map<String, Lines> counts = new LinkedHashMap<>();
        counts.put("Rows with characters of a wrong encoding", facts.broken);
        counts.put("Rows that are mostly symbols", facts.symbols);
        counts.put("Rows that repeat themselves", facts.repetitive);
        counts("", counts);
        end();
    }

    private void fact(String what, String value, String meaning) {
        html.add("<tr><th scope=\"row\">%s</th><td class=\"number\">%s</td><td class=\"quiet\">%s</td></tr>", what, value,
                Html.escape(meaning));
    }

    private void labels() {
        section("labels", "Label balance", "Columns and answers with few different values. When one value is much more "
                + "frequent, a model gets far by always giving it, and accuracy says little.");
        Map<String, Map<String, Long>> balances = facts.balances();
        if (balances.isEmpty()) html.add("<p class=\"quiet\">No column has between 2 and 20 different values.</p>");
        balances.forEach((column, counts) -> {
            html.add("<h3>").text(column).add("</h3>");
            shares(counts, "value");
        });
        end();
    }

    private void examples() {
        section("examples", "Examples", exactLengths()
                ? "Rows drawn from the file, as the model sees them: chat template, special tokens and all."
                : "Rows drawn from the file. With `--tokenizer` they are shown as the model sees them, token by token.");
        html.add("<p class=\"key\"><mark>Marked and underlined</mark> is what the model learns to say; the rest it only "
                + "reads.</p>");
        facts.samples.forEach(row -> ExampleView.write(html, row, facts.reader, tokenizer, facts.options.maxLength(),
                facts.options.columns()));
        end();
    }

    private void counts(String where, Map<String, Lines> counts) {
        html.add("<div class=\"scroll\"><table class=\"counts\"><thead><tr><th scope=\"col\"></th><th scope=\"col\" "
                + "class=\"number\">rows</th><th scope=\"col\">where</th></tr></thead><tbody>");
        counts.forEach((what, lines) ->
                html.add("<tr><th scope=\"row\">%s</th><td class=\"number\">%,d</td><td class=\"quiet\">%s %s</td></tr>",
                what, lines.count(), lines, lines.count() == 0 ? "" : where));
        html.add("</tbody></table></div>");
    }

    private void shares(Map<String, Long> counts, String what) {
        List<Map.Entry<String, Long>> entries = new ArrayList<>(counts.entrySet());
        entries.sort(Map.Entry.<String, Long>comparingByValue().reversed());
        long all = entries.stream().mapToLong(Map.Entry::getValue).sum();
        html.add("<div class=\"scroll\"><table><thead><tr><th scope=\"col\">%s</th><th scope=\"col\" class=\"number\">rows</th>"
                + "<th scope=\"col\" class=\"number\">share</th><th scope=\"col\"><span "
                + "hidden>bar</span></th></tr></thead><tbody>", what);
        for (Map.Entry<String, Long> entry : entries.subList(0, Math.min(20, entries.size()))) {
            double share = 100.0 * entry.getValue() / all;
            html.add("<tr><th scope=\"row\">").text(entry.getKey().isEmpty() ? "(empty)" : entry.getKey())
                    .add("</th><td class=\"number\">%,d</td><td class=\"number\">%.1f %%</td>", entry.getValue(), share)
                    .add("<td class=\"share\" aria-hidden=\"true\"><span style=\"width:%.1f%%\"></span></td></tr>", share);
        }
        html.add("</tbody></table></div>");
        if (entries.size() > 20) html.add("<p class=\"quiet\">and %,d more</p>", entries.size() - 20);
    }
}
