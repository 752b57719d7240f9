package dev.gale.nn;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.safetensors.WeightFiles;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.ops.WeightStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.Set;
import java.util.function.UnaryOperator;

/// A decoder-only language model: embedding, layers, final norm and head. Weights keep the names they have in Hugging
/// Face's files.
public final class CausalLm implements AutoCloseable {
    /// Layers that are computed while a head comes from the host.
    private static final int HEAD_AHEAD = 4;

    private ModelConfig config;
    private final ObjectNode configJson;
    private final ObjectNode generationJson;         // null when the folder had none
    private final TensorOps ops;
    private final int maxSeqLen;
    private final WeightFiles files;                 // null when the weights came from no file
    private final Set<Tensor> owned;
    private Parameter embedding;
    private final List<DecoderLayer> layers = new ArrayList<>();
    private final Norm norm;
    private Parameter head;
    private Parameter headBias;                      // null when there is none
    private final EmbeddingAdapters embeddingAdapters = new EmbeddingAdapters();
    private boolean resized;
    private final RopeTables ropes;
    private final RopeTables slidingRopes;           // those of layers with a window; often the same
    private final HostWeights onHost;
    private final WeightStream layerStream;
    private WeightStream headStream;                 // null until a head on the host is needed

    private CausalLm(ModelConfig config, ObjectNode configJson, ObjectNode generationJson, TensorOps ops, int maxSeqLen,
                     WeightFiles files, WeightSource weights, HostWeights onHost, Set<Tensor> owned) {
        this.config = config;
        this.configJson = configJson;
        this.generationJson = generationJson;
        this.ops = ops;
        this.maxSeqLen = maxSeqLen == 0 ? config.maxSeqLen() : maxSeqLen;
        this.files = files;
        this.owned = owned;
        this.onHost = ops.onHost() ? HostWeights.NONE : onHost;
        int hidden = config.hiddenSize();
        WeightSource outer = this.onHost.embedding() ? weights.onHost() : weights;
        WeightNames names = Family.of(config).names;
        embedding = DecoderLayer.parameter(outer, names.root() + ".embed_tokens.weight", config.vocabSize(), hidden);
        for (int i = 0; i < config.numLayers(); i++) {
            layers.add(new DecoderLayer(config, i, isStreamed(i) ? weights.projectionsOnHost() : weights));
        }
        norm = Norm.of(config.variant().form().norm(), weights, names.root() + "." + names.finalNorm(), hidden,
                config.rmsNormEps());
        head = config.tieWordEmbeddings() ? embedding
                : DecoderLayer.parameter(outer, "lm_head.weight", config.vocabSize(), hidden);
        headBias = names.headBias() ? DecoderLayer.parameter(weights, "lm_head.bias", config.vocabSize()) : null;
        layerStream = ops.stream(streamedWeights());
        ropes = new RopeTables(ops, config, this.maxSeqLen);
        RopeConfig sliding = config.variant().kinds().slidingRope();
        slidingRopes = sliding == null ? ropes : new RopeTables(ops, config.withRope(sliding), this.maxSeqLen);
    }

    /// Opens a Hugging Face model folder. Weights stay memory-mapped where their dtype may stay and ops computes on the
    /// host.
    /// Throws: InputException when the folder is incomplete, broken or of an unknown architecture.
    public static CausalLm load(Path dir, LoadOptions options, TensorOps ops) {
        HfConfig.requireFolder(dir);
        Path file = dir.resolve("config.json");
        ObjectNode configJson = HfConfig.json(file);
        RopeScaling scaling = options.ropeScaling();
        Family family = HfConfig.family(configJson, file.toString());
        if (scaling != null) scaling.applyTo(HfTextPart.own(configJson, family, file.toString()));
        ModelConfig config = HfConfig.read(dir, configJson);
        int maxSeqLen = options.maxSeqLen() == 0 && scaling != null ? scaling.context(config.maxSeqLen()) : options.maxSeqLen();
        Optional<BitsAndBytesConfig> packed = BitsAndBytesConfig.read(configJson, file.toString());
        packed.ifPresent(quantized -> quantized.requireFits(options, file.toString()));
        Path generation = dir.resolve("generation_config.json");
        ObjectNode generationJson = Files.exists(generation) ? HfConfig.json(generation) : null;
        Set<Tensor> owned = identitySet();
        WeightFiles files = WeightFiles.open(dir, family::path);
        try {
            LayerMemory.reserve(ops, config, options.dtype(config.dtype()),
                    packed.map(BitsAndBytesConfig::quantization).orElse(options.quantization()), options.onHost());
            CausalLm model = new CausalLm(config, configJson, generationJson, ops, maxSeqLen, files,
                    WeightSource.files(files, options, packed.orElse(null), ops, owned), options.onHost(), owned);
            options.skipModules().requireKnown(model.modules());
            if (options.trainable()) model.trainAll();
            ModelFolder.logUnused(dir, ModelFolder.weights(model).keySet(), files);
            return model;
        } catch (RuntimeException e) {
            owned.forEach(ops::release);
            files.close();
            throw e;
        }
    }

    /// A model with fresh weights, frozen: `trainAll` starts a pretraining. Under `NullOps` weights are only counted.
    public static CausalLm random(ModelConfig config, long seed, DType dtype, TensorOps ops) {
        return random(config, seed, LoadOptions.defaults().withDtype(dtype), ops);
    }

    /// @param options a dtype, and a quantization or none
    public static CausalLm random(ModelConfig shape, long seed, LoadOptions options, TensorOps ops) {
        ModelConfig config = shape.languageModel();
        Set<Tensor> owned = identitySet();
        LayerMemory.reserve(ops, config, options.dtype(), options.quantization(), options.onHost());
        return new CausalLm(config, HfConfig.toJson(config), null, ops, options.maxSeqLen(), null,
                WeightSource.random(config, seed, options, ops, owned), options.onHost(), owned);
    }

    /// As `random`, but ready in seconds on a device, whatever the size: see `RandomRows`. For measuring.
    public static CausalLm randomRows(ModelConfig shape, long seed, LoadOptions options, TensorOps ops) {
        ModelConfig config = shape.languageModel();
        Set<Tensor> owned = identitySet();
        try (RandomRows rows = new RandomRows(ops, seed, options.dtype(), config.initializerRange())) {
            for (int width : List.of(config.hiddenSize(), config.intermediateSize(), config.attention().queryWidth())) {
                rows.prepare(width);
            }
            LayerMemory.reserve(ops, config, options.dtype(), options.quantization(), options.onHost());
            return new CausalLm(config, HfConfig.toJson(config), null, ops, options.maxSeqLen(), null, WeightSource.randomRows(
                    rows, config.variant().form().norm(), options, ops, owned), options.onHost(), owned);
        }
    }

    private boolean isStreamed(int layer) {
        return onHost.piece(layer, config.numLayers()) >= 0;
    }

    private List<List<Tensor>> streamedWeights() {
        List<List<Tensor>> pieces = new ArrayList<>();
        for (int i = 0; i < layers.size(); i++) {
            if (isStreamed(i)) pieces.add(layers.get(i).projections().stream()
                    .map(p -> p.parameters().getFirst().value()).toList());
        }
        return pieces;
    }

    private static Set<Tensor> identitySet() {
        return Collections.newSetFromMap(new IdentityHashMap<>());
    }

    /// Paths of all modules that have a weight.
    private List<String> modules() {
        List<String> modules = new ArrayList<>();
        for (Parameter parameter : parameters()) modules.add(WeightSource.path(parameter.name()));
        if (head == embedding) modules.add("lm_head");
        return modules;
    }

    public ModelConfig config() {
        return config;
    }

    public TensorOps ops() {
        return ops;
    }

    /// Longest sequence that this model takes.
    public int maxSeqLen() {
        return maxSeqLen;
    }

    // ---- forward ----

    /// Hidden states of a batch after the final norm, `[M, D]`.
    ///
    /// @param checkpointing what backward makes again of each layer instead of keeping it
    /// Throws: InputException when a sequence is longer than `maxSeqLen`.
    public Tensor hidden(Tape tape, ModelInput in, Checkpointing checkpointing) {
        return hidden(tape, in, ActivationMemory.of(checkpointing));
    }

    /// As the other `hidden`.
    ///
    /// @param memory what is kept for backward, and where; as it is made on a tape that does not record
    public Tensor hidden(Tape tape, ModelInput in, ActivationMemory memory) {
        Tensor x = begin(tape, in);
        int mlpRows = memory.mlpRows(in.tokens());
        requireCheckpoints(tape, memory);
        for (int i = 0; i < layers.size(); i++) {
            Tensor before = x;
            int index = i;
            int window = config.variant().kinds().window(i);
            LayerInput input = new LayerInput(in, rope(in, i),
                    (t, q, k, v) -> F.attention(t, q, k, v, in.start(window), in.stop(), config.attention()));
            if (i == Math.max(0, layers.size() - HEAD_AHEAD)) headStream().prepare(0);
            x = memory.checkpointing() != Checkpointing.NONE && tape.isRecording()
                    ? tape.checkpoint((t, h) -> entered(index).forward(t, h, input, mlpRows), before, memory.kept())
                    : tape.scope(() -> entered(index).forward(tape, before, input, mlpRows));
            tape.done(before);
        }
        return finish(tape, x);
    }

    /// The scaled embedding. Windows are made before the layers, which run without a pause.
    private Tensor begin(Tape tape, ModelInput in) {
        if (in.length() > maxSeqLen) {
            throw new InputException(("a sequence has %d tokens, but this model takes at most %d; shorten it or raise "
                    + "max_seq_length").formatted(in.length(), maxSeqLen));
        }
        if (config.variant().kinds().hasWindow()) in.start(config.variant().kinds().window());
        Tensor x = embeddingAdapters.lookUp(tape, embedding, in);
        float factor = (float) config.variant().multipliers().embedding();
        if (factor == 1) return x;
        Tensor scaled = F.scale(tape, x, factor);
        tape.done(x);
        return scaled;
    }

    private void requireCheckpoints(Tape tape, ActivationMemory memory) {
        if (onHost.layers() == 0 || !tape.isRecording() || memory.checkpointing() != Checkpointing.NONE) return;
        throw new InputException(
                "streamed_layers brings weights back when a layer is run again: set gradient_checkpointing to true");
    }

    /// A layer whose weights are there.
    private DecoderLayer entered(int index) {
        int piece = onHost.piece(index, layers.size());
        if (piece >= 0) layerStream.enter(piece);
        return layers.get(index);
    }

    private WeightStream headStream() {
        if (headStream == null) {
            boolean moves = onHost.embedding() && !head.trainable();
            headStream = moves ? ops.stream(List.of(List.of(head.value()))) : WeightStream.NONE;
        }
        return headStream;
    }

    /// Hidden states `[M, D]` of new tokens of cached sequences, whose keys and values the cache takes up.
    /// Throws: InputException when a sequence is longer than `maxSeqLen`.
    public Tensor hidden(Tape tape, KvCache cache, KvCache.Step step) {
        ModelInput in = step.input();
        Tensor x = begin(tape, in);
        for (int i = 0; i < layers.size(); i++) {
            Tensor before = x;
            int index = i;
            int window = config.variant().kinds().window(i);
            LayerInput input = new LayerInput(in, rope(in, i), (t, q, k, v) -> cache.attend(index, window, step, t, q, k, v));
            x = tape.scope(() -> entered(index).forward(tape, before, input, in.tokens()));
            tape.done(before);
        }
        return finish(tape, x);
    }

    private Tensor finish(Tape tape, Tensor x) {
        Tensor y = norm.forward(tape, x);
        tape.done(x);
        return y;
    }

    private RopeTable rope(ModelInput in, int layer) {
        return (config.variant().kinds().slides(layer) ? slidingRopes : ropes).forLength(in.length());
    }

    /// Logits `[M, V]` of hidden states `[M, D]`, for reading: no gradient goes through a cap.
    public Tensor logits(Tape tape, Tensor hidden) {
        headStream().enter(0);
        Tensor logits = F.linear(tape, hidden, head, headBias, null, null, null);
        CrossEntropySpec spec = lossSpec(1);
        if (spec.scale() != 1 || spec.softcap() > 0) tape.ops().scale(logits, logits, spec.scale(), spec.softcap());
        if (!tape.isRecording()) headStream().leave();
        return logits;
    }

    /// How the loss of this model's logits is computed.
    /// @param chunkRows rows of logits that exist at once
    public CrossEntropySpec lossSpec(int chunkRows) {
        Multipliers multipliers = config.variant().multipliers();
        return new CrossEntropySpec(chunkRows, (float) multipliers.logits(), (float) multipliers.logitsCap());
    }

    /// Adds the summed cross-entropy of hidden states `[M, D]` to stats: see `F.linearCrossEntropy`.
    ///
    /// @param tokenLoss F32 `[M]` or null
    /// @param gradScale F32 `[1]` with what the gradients are multiplied with, or null
    public void loss(Tape tape, Tensor stats, Tensor tokenLoss, Tensor hidden, Tensor targets, Tensor gradScale,
                     CrossEntropySpec spec) {
        headStream().enter(0);
        embeddingAdapters.loss(tape, stats, tokenLoss, hidden, head, headBias, targets, gradScale, spec);
        headStream().leave();
    }

    // ---- weights ----

    /// The output head `[V, D]`; the embedding itself when they are tied.
    public Parameter embedding() {
        return embedding;
    }

    public Parameter head() {
        return head;
    }

    /// Makes a tied head a parameter of its own, `lm_head.weight`, that shares the embedding's value until one of them
    /// is given another. Nothing happens to a head that is one already.
    public void untieHead() {
        if (head == embedding) head = Parameter.frozen("lm_head.weight", embedding.value());
    }

    /// Makes the head the embedding again, if `untieHead` parted them.
    public void tieHead() {
        if (config.tieWordEmbeddings()) head = embedding;
    }

    /// Gives the embedding and a head of its own another number of rows, for tokens that are added: new ones are the mean of
    /// those that were there. Both are other parameters then, and so is the head's bias. Before there are adapters.
    public void resizeEmbedding(int rows) {
        boolean tied = head == embedding;
        embedding = TokenRows.resized(ops, embedding, rows, owned);
        head = tied ? embedding : TokenRows.resized(ops, head, rows, owned);
        if (headBias != null) headBias = TokenRows.resized(ops, headBias, rows, owned);
        resized = true;
        config = config.withVocabSize(rows);
        ModelFolder.languageModel(this, configJson).put("vocab_size", rows);
    }

    /// Whether `resizeEmbedding` was called.
    public boolean isResized() {
        return resized;
    }

    /// Lets sequences end with another token, too; folders that are saved say so.
    public void addEosToken(int id) {
        SequencedSet<Integer> ids = new LinkedHashSet<>(List.of(id));
        ids.addAll(config.eosTokenIds());
        config = config.withEosTokenIds(List.copyOf(ids));
        ids.forEach(ModelFolder.languageModel(this, configJson).putArray("eos_token_id")::add);
        if (generationJson != null) ids.forEach(generationJson.putArray("eos_token_id")::add);
    }

    /// What adapters do to embedding and head.
    public EmbeddingAdapters embeddingAdapters() {
        return embeddingAdapters;
    }

    /// The projections of all layers by module path; the head is not among them.
    public Map<String, Projection> projections() {
        Map<String, Projection> byPath = new LinkedHashMap<>();
        for (DecoderLayer layer : layers) {
            for (Projection projection : layer.projections()) byPath.put(projection.path(), projection);
        }
        return byPath;
    }

    /// Whether the projection of a path is that of an expert, which is never multiplied alone.
    public boolean isExpert(String path) {
        return layers.stream().anyMatch(layer -> layer.isExpert(path));
    }

    /// Puts another projection in the place of the one at a path, e.g. one with an adapter around it.
    /// Throws: IllegalArgumentException when there is no such path.
    public void replace(String path, UnaryOperator<Projection> change) {
        for (DecoderLayer layer : layers) {
            if (layer.holds(path) && layer.projections().stream().anyMatch(projection -> projection.path().equals(path))) {
                layer.replace(path, change);
                return;
            }
        }
        throw new IllegalArgumentException("this model has no projection " + path);
    }

    /// Every weight once, those of adapters too; a tied head is the embedding.
    public List<Parameter> parameters() {
        SequencedSet<Parameter> all = new LinkedHashSet<>();
        all.add(embedding);
        all.addAll(embeddingAdapters.parameters());
        for (DecoderLayer layer : layers) {
            all.addAll(layer.norms());
            for (Projection projection : layer.projections()) all.addAll(projection.parameters());
        }
        all.addAll(norm.parameters());
        all.add(head);
        if (headBias != null) all.add(headBias);
        return List.copyOf(all);
    }

    /// The weight of that name.
    /// Throws: InputException when the model has none.
    public Parameter parameter(String name) {
        return parameters().stream().filter(parameter -> parameter.name().equals(name)).findFirst()
                .orElseThrow(() -> new InputException("the model has no parameter %s; parameters are named like %s"
                        .formatted(name, norm.parameters().getFirst().name())));
    }

    /// The weight of that name as its file has it, in host memory: what a quantized one was made of. Empty when the weights
    /// came from no file.
    /// Throws: InputException when the file has it quantized.
    public Optional<Tensor> stored(String name) {
        if (files == null) return Optional.empty();
        Shape shape = parameter(name).value().shape();
        if (!files.isDense(name, shape)) {
            throw new InputException(("%s: %s is quantized there, but this start of an adapter needs the original weight; give "
                    + "the folder of the original model, quantized while it is loaded").formatted(files.file(name), name));
        }
        return Optional.of(files.tensor(name, shape));
    }

    /// Makes a weight trainable. Optimizers want F32 that may be written, so a mapped or narrower one is copied first.
    public void train(Parameter parameter) {
        Tensor value = parameter.value();
        if (value.dtype() != DType.F32 || !owned.contains(value)) {
            Tensor copy = ops.allocate(value.name(), DType.F32, value.shape());
            Tensor placed = ops.place(value);
            ops.copy(copy, placed);
            if (placed != value) ops.release(placed);
            owned.add(copy);
            parameter.setValue(copy);
            if (owned.remove(value)) ops.release(value);
        }
        parameter.setTrainable(true);
    }

    /// Makes every weight trainable.
    public void trainAll() {
        parameters().forEach(this::train);
    }

    /// Makes every quantized weight dense.
    public void dequantize(DType dtype) {
        for (Parameter parameter : parameters()) {
            Tensor value = parameter.value();
            if (!value.dtype().quantized()) continue;
            Tensor dense = ops.allocate(value.name(), dtype, value.shape());
            ops.dequantize(dense, value);
            owned.add(dense);
            parameter.setValue(dense);
            if (owned.remove(value)) ops.release(value);
        }
    }

    // ---- files ----

    /// Writes a Hugging Face model folder: `config.json` with every field it had, the weights, and
    /// `generation_config.json` if there was one.
    ///
    /// @param dtype of the dense weights in the file; null leaves each as it is. Quantized ones, which must be in host memory,
    ///              are written as they are
    /// Throws: InputException when it cannot be written; IllegalStateException while adapters are in place.
    public void save(Path dir, DType dtype) {
        ObjectNode json = configJson.deepCopy();
        if (config.tieWordEmbeddings() && head != embedding) {
            json.put("tie_word_embeddings", false);
            ModelFolder.languageModel(this, json).put("tie_word_embeddings", false);
        }
        ModelFolder.write(dir, ModelFolder.stored(config, ModelFolder.weights(this), files), dtype,
                dtype != null ? dtype : embedding.value().dtype(), json, quantization(), ops);
        if (generationJson != null) AtomicFile.write(dir.resolve("generation_config.json"),
                generationJson.toPrettyString() + "\n");
    }

    /// How projections are quantized, if any are.
    public Optional<BitsAndBytesConfig> quantization() {
        return BitsAndBytesConfig.of(projections(), Family.of(config).beside());
    }

    /// Releases weights and gradients and unmaps the files. Nothing of the model may be used afterwards.
    @Override
    public void close() {
        parameters().forEach(parameter -> parameter.releaseGrad(ops));
        ropes.close();
        slidingRopes.close();
        layerStream.close();
        if (headStream != null) headStream.close();
        owned.forEach(ops::release);
        owned.clear();
        if (files != null) files.close();
    }
}
