package dev.gale.train.data;

import dev.gale.tensor.InputException;
import dev.gale.train.SftConfig;
import dev.gale.train.data.read.RowReader;
import dev.gale.train.data.read.RowSource;
import dev.gale.train.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// Rows to train on and rows held out, checked but not yet tokenized. They stay in their files: whoever wants them reads
/// them as a stream, and tokenized rows are in a file of the cache, made once.
public final class Dataset {
    private final DatasetConfig config;
    private final RowFormat format;
    private final Set<String> columns;
    private final RowSet train;
    private final RowSet eval;

    private Dataset(DatasetConfig config, RowSet train, RowSet eval) {
        this.config = config;
        this.train = train;
        this.eval = eval;
        try (RowReader rows = train.open()) {
            Row first = rows.next();
            this.columns = first == null ? Set.of() : Set.copyOf(first.values().keySet());
            this.format = config.format().orElseGet(() -> RowFormat.of(first, config));
        }
    }

    /// Reads a file with the default options.
    public static Dataset load(Path file) {
        return load(DatasetConfig.of(file));
    }

    /// Reads all rows once, to check them, and decides which are held out for evaluation. Files that were checked before are
    /// not read again.
    ///
    /// Throws InputException when a file is missing, empty or malformed, or when nothing would be left to train on.
    public static Dataset load(DatasetConfig config) {
        TokenCache cache = TokenCache.at(config.cacheDir());
        RowSet rows = RowSet.checked(RowSource.of(config.reading()), config.path(), cache);
        Optional<RowSet> heldOut = config.evalReading()
                .map(options -> RowSet.checked(RowSource.of(options), options.path(), cache));
        return config.testSize() == 0 ? new Dataset(config, rows, heldOut.orElse(RowSet.of(List.of()))) : split(config, rows);
    }

    /// A dataset of rows in memory, values by column.
    public static Dataset of(List<Map<String, Object>> rows, DatasetConfig config) {
        if (rows.isEmpty()) throw new InputException("the dataset is empty; it needs at least one row");
        RowSet numbered = RowSet.of(IntStream.range(0, rows.size())
                .mapToObj(i -> new Row(new LinkedHashMap<>(rows.get(i)), "row " + (i + 1))).toList());
        return config.testSize() == 0 ? new Dataset(config, numbered, RowSet.of(List.of())) : split(config, numbered);
    }

    private static Dataset split(DatasetConfig config, RowSet rows) {
        int held = (int) (config.testSize() < 1 ? Math.ceil(config.testSize() * rows.size()) : config.testSize());
        if (held >= rows.size()) {
            throw new InputException("dataset.test_size %s holds out %d of the %d rows of %s, which leaves none to "
                    .formatted(config.testSize(), held, rows.size(), config.path()) + "train on");
        }
        BitSet out = new BitSet();
        IntStream.of(Shuffle.permutation(rows.size(), config.shuffleSeed(), 0)).limit(held).forEach(out::set);
        return new Dataset(config, rows.without(out), rows.only(out));
    }

    /// Tokenized rows to train on, without those that have no token to learn.
    ///
    /// Throws InputException for a row without a column that its format needs, for a loss that the format has not, and
    /// when no example is left.
    public ExampleList examples(Tokenizer tokenizer, SftConfig options) {
        ExampleList examples = encode(train, tokenizer, options);
        if (examples.isEmpty()) {
            throw new InputException(("none of the %d rows of %s has a token to learn; look at max_length (%d) and at "
                    + "what the loss is taken from").formatted(train.size(), config.path(), options.maxLength()));
        }
        return examples;
    }

    /// Tokenized rows held out, perhaps none.
    public ExampleList evalExamples(Tokenizer tokenizer, SftConfig options) {
        return eval.size() == 0 ? ExampleList.of(List.of()) : encode(eval, tokenizer, options);
    }

    private ExampleList encode(RowSet rows, Tokenizer tokenizer, SftConfig options) {
        FormatString template = config.template().map(FormatString::parse).orElse(null);
        ExampleEncoder encoder = new ExampleEncoder(tokenizer, format, config, options);
        return tokens(rows, tokenizer).list(List.of(options.completionOnlyLoss(), options.assistantOnlyLoss()),
                row -> List.of(encoder.marked(format.sample(row, config, template), row.place())))
                .cut(options.maxLength());
    }

    private TokenizedRows tokens(RowSet rows, Tokenizer tokenizer) {
        return new TokenizedRows(rows, config, format, tokenizer);
    }

    /// Tokenized pairs of a better and a worse answer, of rows of the format `PREFERENCE`. Both answers keep `maxLength`
    /// tokens with their prompt; pairs of which one then has nothing left of its answer are left out.
    ///
    /// @param heldOut the rows held out instead of those to train on
    ///
    /// Throws InputException when the rows have another format, or one of them lacks what it needs.
    public List<PreferenceExample> preferences(Tokenizer tokenizer, int maxLength, boolean heldOut) {
        require(RowFormat.PREFERENCE, "chosen and rejected answers");
        ExampleEncoder encoder = ExampleEncoder.ofAnswers(tokenizer, config);
        TokenFile pairs = tokens(heldOut ? eval : train, tokenizer).file(List.of(), row -> {
            PreferenceSample pair = ComparisonRows.preference(row, config);
            return List.of(new Marked(encoder.encode(pair.chosen(), row.place()), 1),
                    new Marked(encoder.encode(pair.rejected(), row.place()), 0));
        });
        return new MappedList<>(IntStream.range(0, pairs.size() / 2).filter(i -> pairs.learns(2 * i, maxLength)
                && pairs.learns(2 * i + 1, maxLength)).toArray(), i -> new PreferenceExample(
                        pairs.get(2 * i).first(maxLength), pairs.get(2 * i + 1).first(maxLength)));
    }

    /// Tokenized answers that someone judged, of rows of the format `KTO`; see `preferences`.
    public List<KtoExample> judgements(Tokenizer tokenizer, int maxLength, boolean heldOut) {
        require(RowFormat.KTO, "answers with a label");
        ExampleEncoder encoder = ExampleEncoder.ofAnswers(tokenizer, config);
        TokenFile answers = tokens(heldOut ? eval : train, tokenizer).file(List.of(), row -> {
            KtoSample sample = ComparisonRows.kto(row, config);
            return List.of(new Marked(encoder.encode(sample.sample(), row.place()), sample.desirable() ? 1 : 0));
        });
        return new MappedList<>(IntStream.range(0, answers.size()).filter(i -> answers.learns(i, maxLength)).toArray(),
                i -> new KtoExample(answers.get(i).first(maxLength), answers.mark(i) == 1));
    }

    private void require(RowFormat wanted, String what) {
        if (format == wanted) return;
        throw new InputException("%s has the format '%s', but this training needs %s; set dataset.format or dataset.columns"
                .formatted(config.path(), format.name().toLowerCase(Locale.ROOT), what));
    }

    /// How the rows are read.
    DatasetConfig config() {
        return config;
    }

    /// Names of the columns of the first row.
    Set<String> columns() {
        return columns;
    }

    /// What the columns mean.
    public RowFormat format() {
        return format;
    }

    /// Number of rows to train on.
    public int rows() {
        return train.size();
    }

    /// Number of rows held out.
    public int evalRows() {
        return eval.size();
    }

    /// The rows to train on, one after the other from their files. Close the stream.
    public Stream<Row> trainRows() {
        return train.stream();
    }

    /// All rows to train on, in memory: for data that fits.
    public List<Row> train() {
        return all(train);
    }

    /// All rows held out, in memory.
    public List<Row> eval() {
        return all(eval);
    }

    private static List<Row> all(RowSet rows) {
        try (Stream<Row> stream = rows.stream()) {
            return stream.toList();
        }
    }

    /// A tokenized row, or a part of one, with a number to keep beside it.
    record Marked(Example example, int mark) {}
}
