package dev.gale.train.data;

import dev.gale.tensor.InputException;
import dev.gale.train.SftConfig;
import dev.gale.train.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/// Rows to train on and rows held out, read but not yet tokenized.
public final class Dataset {
    private final DatasetConfig config;
    private final RowFormat format;
    private final List<Row> train;
    private final List<Row> eval;

    private Dataset(DatasetConfig config, List<Row> train, List<Row> eval) {
        this.config = config;
        this.train = train;
        this.eval = eval;
        this.format = config.format().orElseGet(() -> RowFormat.of(train.getFirst(), config));
    }

    /// Reads a file with the default options.
    public static Dataset load(Path file) {
        return load(DatasetConfig.of(file));
    }

    /// Reads the rows and holds out those for evaluation.
    ///
    /// Throws InputException when a file is missing, empty or malformed, or when nothing would be left to train on.
    public static Dataset load(DatasetConfig config) {
        List<Row> rows = JsonRows.read(config.path(), config.maxSamples());
        List<Row> heldOut = config.evalPath().map(path -> JsonRows.read(path, config.maxSamples())).orElse(List.of());
        return config.testSize() == 0 ? new Dataset(config, rows, heldOut) : split(config, rows);
    }

    /// A dataset of rows in memory, values by column.
    public static Dataset of(List<Map<String, Object>> rows, DatasetConfig config) {
        if (rows.isEmpty()) throw new InputException("the dataset is empty; it needs at least one row");
        List<Row> numbered = IntStream.range(0, rows.size())
                .mapToObj(i -> new Row(new LinkedHashMap<>(rows.get(i)), "row " + (i + 1))).toList();
        return config.testSize() == 0 ? new Dataset(config, numbered, List.of()) : split(config, numbered);
    }

    private static Dataset split(DatasetConfig config, List<Row> rows) {
        int held = (int) (config.testSize() < 1 ? Math.ceil(config.testSize() * rows.size()) : config.testSize());
        if (held >= rows.size()) {
            throw new InputException("dataset.test_size %s holds out %d of the %d rows of %s, which leaves none to "
                    .formatted(config.testSize(), held, rows.size(), config.path()) + "train on");
        }
        BitSet out = new BitSet();
        IntStream.of(Shuffle.permutation(rows.size(), config.shuffleSeed(), 0)).limit(held).forEach(out::set);
        List<Row> train = new ArrayList<>();
        List<Row> eval = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) (out.get(i) ? eval : train).add(rows.get(i));
        return new Dataset(config, train, eval);
    }

    /// Tokenized rows to train on, without those that have no token to learn.
    ///
    /// Throws InputException for a row without a column that its format needs, for a loss that the format has not, and
    /// when no example is left.
    public List<Example> examples(Tokenizer tokenizer, SftConfig options) {
        List<Example> examples = encode(train, tokenizer, options);
        if (examples.isEmpty()) {
            throw new InputException(("none of the %d rows of %s has a token to learn; look at max_length (%d) and at "
                    + "what the loss is taken from").formatted(train.size(), config.path(), options.maxLength()));
        }
        return examples;
    }

    /// Tokenized rows held out, perhaps none.
    public List<Example> evalExamples(Tokenizer tokenizer, SftConfig options) {
        return eval.isEmpty() ? List.of() : encode(eval, tokenizer, options);
    }

    private List<Example> encode(List<Row> rows, Tokenizer tokenizer, SftConfig options) {
        FormatString template = config.template().map(FormatString::parse).orElse(null);
        ExampleEncoder encoder = new ExampleEncoder(tokenizer, format, config, options);
        return rows.parallelStream().map(row -> encoder.encode(format.sample(row, config, template), row.place()))
                .map(example -> example.first(options.maxLength())).filter(example -> example.trainedTokens() > 0)
                .toList();
    }

    /// How the rows are read.
    DatasetConfig config() {
        return config;
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

    /// The rows to train on.
    public List<Row> train() {
        return train;
    }

    /// The rows held out.
    public List<Row> eval() {
        return eval;
    }
}
