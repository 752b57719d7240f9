package dev.gale.train.data.report;

import dev.gale.tensor.InputException;
import dev.gale.train.data.clean.ExactDuplicates;
import dev.gale.train.data.clean.NearDuplicates;
import dev.gale.train.data.clean.PersonalData;
import dev.gale.train.data.read.RawRow;
import dev.gale.train.data.read.RawRows;
import dev.gale.train.data.read.ReadOptions;
import dev.gale.train.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;

/// What the rows of a file show together. Memory: some rows, and 80 bytes for each.
final class DataFacts {
    static final double MUCH = 0.3;
    static final double BROKEN = 0.001;

    private static final int CHUNK = 1024;
    private static final int MOST_LABELS = 20;

    final ReportOptions options;
    final Lengths tokens = new Lengths();
    final Lengths answers = new Lengths();
    final Lines unreadable = new Lines();
    final List<String> problems = new ArrayList<>();
    final Lines exact = new Lines();
    final Lines near = new Lines();
    final Lines asked = new Lines();
    final Lines untrained = new Lines();
    final Lines emptyAnswers = new Lines();
    final Lines truncated = new Lines();
    final Lines broken = new Lines();
    final Lines symbols = new Lines();
    final Lines repetitive = new Lines();
    final Lines leakedExact = new Lines();
    final Lines leakedNear = new Lines();
    final Map<PersonalData, Lines> personal = new EnumMap<>(PersonalData.class);
    final Map<PersonalData, Long> pieces = new EnumMap<>(PersonalData.class);
    final Map<String, Long> languages = new HashMap<>();
    final Map<String, Map<String, Long>> labels = new LinkedHashMap<>();
    final List<RawRow> samples = new ArrayList<>();
    RowStudy reader;
    long rows;
    long validationRows;
    long trainedTokens;
    long words;
    long sentences;
    long englishWords;
    long englishSentences;
    long englishSyllables;
    long letters;
    long chars;
    long nonAscii;
    long windows;
    long distinct;

    private final SplittableRandom random = new SplittableRandom(42);
    private final ExactDuplicates texts = new ExactDuplicates();
    private final ExactDuplicates prompts = new ExactDuplicates();
    private final List<Long> lineOf = new ArrayList<>();

    private DataFacts(ReportOptions options) {
        this.options = options;
        for (PersonalData kind : PersonalData.values()) personal.put(kind, new Lines());
    }

    /// Reads the files.
    ///
    /// @param tokenizer of the model that will be trained; empty when lengths are to be estimated
    ///
    /// Throws InputException when a file is missing or cut off or has no row that can be read, or the tokenizer does not fit.
    static DataFacts of(ReportOptions options, Optional<Tokenizer> tokenizer) {
        DataFacts facts = new DataFacts(options);
        try (NearDuplicates near = new NearDuplicates(options.nearDuplicates())) {
            facts.readTraining(tokenizer, near);
            int training = facts.lineOf.size();
            if (training == 0) {
                throw new InputException("the dataset %s has no row that can be read%s".formatted(options.name(),
                        facts.problems.isEmpty() ? "; it needs at least one" : ": " + facts.problems.getFirst()));
            }
            options.validation().ifPresent(file -> facts.readValidation(file, near, training));
            facts.compare(near.find(), training);
        }
        return facts;
    }

    private void readTraining(Optional<Tokenizer> tokenizer, NearDuplicates near) {
        try (RawRows source = RawRows.open(options.rows())) {
            for (List<RawRow> chunk = source.next(CHUNK); !chunk.isEmpty(); chunk = source.next(CHUNK)) {
                if (reader == null) reader = reader(chunk, tokenizer, near);
                for (RowFacts row : chunk.parallelStream().map(reader::read).toList()) add(row, near);
            }
        }
    }

    /// The first row that is an object tells what the columns mean.
    private RowStudy reader(List<RawRow> chunk, Optional<Tokenizer> tokenizer, NearDuplicates near) {
        for (RawRow row : chunk) {
            try {
                row.values();
            } catch (InputException malformed) {
                continue;
            }
            return new RowStudy(options, near, tokenizer, row);
        }
        throw new InputException("%s: none of the first %d rows is a JSON object; is it a JSONL file?"
                .formatted(options.name(), chunk.size()));
    }

    private void add(RowFacts row, NearDuplicates near) {
        long line = row.raw().line();
        rows++;
        if (row.problem().isPresent()) {
            unreadable.add(line);
            if (problems.size() < 5) problems.add(row.problem().get());
            return;
        }
        sample(row.raw());
        tokens.add(row.tokens());
        if (row.trained() == 0) untrained.add(line);
        trainedTokens += Math.max(0, row.trained());
        addWords(row);
        row.answer().ifPresent(answer -> {
            answers.add(answer.chars());
            if (answer.empty()) emptyAnswers.add(line);
            if (answer.truncated()) truncated.add(line);
        });
        if (row.quality().broken() > BROKEN) broken.add(line);
        if (row.quality().symbols() > MUCH) symbols.add(line);
        if (row.quality().repetition() > MUCH) repetitive.add(line);
        row.personal().forEach((kind, count) -> {
            personal.get(kind).add(line);
            pieces.merge(kind, (long) count, Long::sum);
        });
        languages.merge(row.language(), 1L, Long::sum);
        addLabels(row.labels());
        int number = lineOf.size();
        lineOf.add(line);
        near.add(row.sketch());
        boolean copy = texts.firstOrAdd(row.text(), number) >= 0;
        if (copy) exact.add(line);
        boolean known = row.prompt() != null && prompts.firstOrAdd(row.prompt(), number) >= 0;
        if (known && !copy) asked.add(line);
    }

    private void addWords(RowFacts row) {
        WordFacts text = row.words();
        words += text.words();
        sentences += text.sentences();
        letters += text.letters();
        chars += text.chars();
        nonAscii += text.nonAscii();
        windows += text.windows();
        distinct += text.distinct();
        if (!row.language().equals("en")) return;
        englishWords += text.words();
        englishSentences += text.sentences();
        englishSyllables += text.syllables();
    }

    /// Columns with more values than labels have are forgotten.
    private void addLabels(Map<String, String> row) {
        row.forEach((column, value) -> {
            Map<String, Long> counts = labels.computeIfAbsent(column, name -> new TreeMap<>());
            if (counts.size() <= MOST_LABELS) counts.merge(value, 1L, Long::sum);
        });
    }

    /// Columns with two to twenty values that nearly every row has, and each value more than once on average.
    Map<String, Map<String, Long>> balances() {
        Map<String, Map<String, Long>> balances = new LinkedHashMap<>();
        labels.forEach((column, counts) -> {
            long all = counts.values().stream().mapToLong(Long::longValue).sum();
            if (counts.size() >= 2 && counts.size() <= MOST_LABELS && 2 * all >= lineOf.size() && all >= 3L * counts.size()) {
                balances.put(column, counts);
            }
        });
        return balances;
    }

    /// Keeps each row with the same probability.
    private void sample(RawRow row) {
        int seen = tokens.size();
        if (samples.size() < options.examples()) {
            samples.add(row);
        } else if (options.examples() > 0) {
            int place = random.nextInt(seen + 1);
            if (place < samples.size()) samples.set(place, row);
        }
    }

    private void readValidation(ReadOptions validation, NearDuplicates near, int training) {
        try (RawRows source = RawRows.open(validation)) {
            for (List<RawRow> chunk = source.next(CHUNK); !chunk.isEmpty(); chunk = source.next(CHUNK)) {
                for (RowFacts row : chunk.parallelStream().map(reader::read).toList()) {
                    if (row.problem().isPresent()) continue;
                    validationRows++;
                    lineOf.add(row.raw().line());
                    int number = near.add(row.sketch());
                    int first = texts.firstOrAdd(row.text(), number);
                    if (first >= 0 && first < training) leakedExact.add(row.raw().line());
                }
            }
        }
    }

    /// @param firsts of each text the first that is like it
    private void compare(int[] firsts, int training) {
        for (int i = 0; i < firsts.length; i++) {
            if (firsts[i] == i) continue;
            if (i < training) near.add(lineOf.get(i));
            else if (firsts[i] < training) leakedNear.add(lineOf.get(i));
        }
    }

    /// Rows that can be read.
    long readable() {
        return tokens.size();
    }

    /// Flesch's reading ease of the English rows: `206.835 - 1.015 words / sentences - 84.6 syllables / words`.
    /// Source: Flesch 1948, "A new readability yardstick".
    double readingEase() {
        return 206.835 - 1.015 * englishWords / englishSentences - 84.6 * englishSyllables / englishWords;
    }
}
