package dev.gale.train;

import dev.gale.nn.HfConfig;
import dev.gale.nn.LoadOptions;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import dev.gale.train.data.Batches;
import dev.gale.train.data.Dataset;
import dev.gale.train.data.Example;
import dev.gale.train.metric.EvalMetrics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Supplier;

/// What a model loses when its weights have fewer bits: its loss on the same examples, as its files are and quantized.
public final class QuantizationComparison {
    private static final List<Quantization> KINDS = Arrays.asList(null, Quantization.INT8, Quantization.NF4,
            Quantization.NF4_NESTED);

    private final Path model;
    private final Optional<Path> adapter;
    private final Dataset data;
    private final SftConfig config;

    /// @param data   every row to train on is evaluated
    /// @param config what of an example enters the loss, how much of it is kept, and how many are evaluated at once
    public QuantizationComparison(Path model, Optional<Path> adapter, Dataset data, SftConfig config) {
        this.model = model;
        this.adapter = adapter;
        this.data = data;
        this.config = config;
    }

    /// One kind of weights.
    ///
    /// @param weights dtype of the files or name of the quantization
    /// @param bytes   of all weights, scales included
    /// @param base    what the model reaches
    /// @param adapted what it reaches with the adapter, if there is one
    public record Row(String weights, long bytes, EvalMetrics base, Optional<EvalMetrics> adapted) {}

    /// Opens the model once for each kind and evaluates it.
    ///
    /// @param device makes new operations, which are closed with the model
    public List<Row> rows(Supplier<TensorOps> device) {
        List<Row> rows = new ArrayList<>();
        for (Quantization kind : KINDS) {
            LoadOptions options = LoadOptions.defaults().withQuantization(kind);
            try (FastLanguageModel open = FastLanguageModel.open(model, options, device.get())) {
                rows.add(row(open, kind));
            }
        }
        return rows;
    }

    private Row row(FastLanguageModel open, Quantization kind) {
        List<Example> examples = data.examples(open.tokenizer(), config).cut(open.model().maxSeqLen());
        String weights = kind == null ? HfConfig.dtypeName(open.model().head().value().dtype())
                : kind.name().toLowerCase(Locale.ROOT);
        long bytes = open.model().parameters().stream().map(Parameter::value)
                .mapToLong(value -> value.byteSize() + (value.scales() == null ? 0 : value.scales().byteSize())).sum();
        EvalMetrics base = evaluate(open, examples);
        return new Row(weights, bytes, base, adapter.map(folder -> evaluate(open.loadAdapter(folder, false), examples)));
    }

    private EvalMetrics evaluate(FastLanguageModel open, List<Example> examples) {
        return new Evaluator(open.ops(), open.model()).evaluate(Batches.inOrder(examples, config.perDeviceEvalBatchSize()));
    }
}
