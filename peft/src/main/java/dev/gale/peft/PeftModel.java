package dev.gale.peft;

import dev.gale.nn.BitsAndBytesConfig;
import dev.gale.nn.CausalLm;
import dev.gale.nn.Linear;
import dev.gale.nn.Projection;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Adapter;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Nf4;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// A model with a LoRA adapter in it. The base is frozen; initializations that need other weights (`pissa`, `olora`,
/// `loftq`) put new tensors in their place. Closing the adapter gives the base back as it was. Close it before the model.
/// Not thread-safe.
public final class PeftModel implements AutoCloseable {
    private static final List<String> EMBEDDINGS = List.of("model.embed_tokens.weight", "lm_head.weight");
    private static final System.Logger LOG = System.getLogger(PeftModel.class.getName());

    private final CausalLm model;
    private final TensorOps ops;
    private final LoraConfig config;
    private final Map<String, LoraLinear> adapters = new LinkedHashMap<>();
    private final List<WholeParameter> whole = new ArrayList<>();
    private final List<WholeParameter> changed = new ArrayList<>();               // base weights that the start replaced
    private final Map<String, LoraInit.Values> firsts = new LinkedHashMap<>();     // by path, where the base is changed
    private final EmbeddingLora embedding;                                        // null when it is not adapted
    private final boolean untied;
    private State state = State.ACTIVE;
    private LoraMerge merge;

    private enum State { ACTIVE, DISABLED, MERGED, CLOSED }

    /// Something that ends with `close`.
    public interface Scope extends AutoCloseable {
        @Override
        void close();
    }

    /// @param extra names of base parameters that the adapter brings beside those of its configuration, frozen
    /// @param starts A by path, for `eva`
    private PeftModel(CausalLm model, LoraConfig given, long seed, boolean trainable, Set<String> extra,
                      Map<String, float[]> starts) {
        this.model = model;
        this.ops = model.ops();
        LoraTargets targets = new LoraTargets(given, model);
        requireBare();
        List<String> adapted = targets.adapted();
        config = given.toBuilder().targetModules(targets.resolved()).build();
        Set<String> trained = new LinkedHashSet<>(targets.savedWhole());
        trained.addAll(targets.trainedBiases(adapted));
        requireDisjoint(adapted, trained);
        requireRanks(adapted);
        requirePlainExperts(adapted);
        warnOfUnusedPatterns(adapted);
        for (Parameter parameter : model.parameters()) {
            parameter.setTrainable(false);
            parameter.releaseGrad(ops);
        }
        Set<String> brought = new LinkedHashSet<>(trained);
        brought.addAll(extra);
        boolean adaptsEmbedding = targets.adaptsEmbedding();
        untied = model.config().tieWordEmbeddings()
                && (adaptsEmbedding || brought.contains("lm_head.weight") || brought.contains("model.embed_tokens.weight"));
        if (untied) model.untieHead();
        for (String name : brought) {
            whole.add(WholeParameter.of(model.parameter(name), trainable && trained.contains(name), ops));
        }
        embedding = adaptsEmbedding
                ? EmbeddingLora.make(model, config, new LoraInit(seed, model.projections().size()), trainable) : null;
        addAdapters(adapted, seed, trainable, starts);
    }

    /// Freezes a model and puts fresh adapters into it.
    /// Throws: InputException when the configuration does not fit the model, or its initialization (`eva`) needs batches;
    /// IllegalStateException when it has an adapter already.
    ///
    /// @param seed decides the starting values together with each module's place in the model
    public static PeftModel inject(CausalLm model, LoraConfig config, long seed) {
        boolean blind = config.initLoraWeights().method() == InitLoraWeights.Method.EVA && model.ops().computes();
        if (blind) throw new InputException("LoRA: init_lora_weights eva needs batches to look at; give them to inject");
        return new PeftModel(model, config, seed, true, Set.of(), Map.of());
    }

    /// As `inject`, for initializations that look at what goes into the layers.
    ///
    /// @param batches of the training data, gone through once or more often; others than `eva` leave them alone
    public static PeftModel inject(CausalLm model, LoraConfig config, long seed, Iterable<CalibrationBatch> batches) {
        boolean looks = config.initLoraWeights().method() == InitLoraWeights.Method.EVA && model.ops().computes();
        if (!looks) return inject(model, config, seed);
        LoraTargets targets = new LoraTargets(config, model);
        Eva.Found found = Eva.find(model, config.toBuilder().targetModules(targets.resolved()).build(), targets.adapted(), batches);
        return new PeftModel(model, found.config(), seed, true, Set.of(), found.starts());
    }

    /// Puts an adapter that PEFT or Gale wrote into the model it was made for. One that brings an embedding for more tokens
    /// gives the model rows for them, which stay when the adapter is closed.
    /// Throws: InputException naming the file and the tensor when it was made for another one or is broken; the model
    /// is as it was then.
    ///
    /// @param trainable whether training goes on; else everything is frozen
    public static PeftModel load(CausalLm model, Path dir, boolean trainable) {
        LoraConfig config = LoraConfig.read(dir.resolve(AdapterFile.CONFIG));
        requireRepeatable(config, dir);
        int rows = model.config().vocabSize();
        try (Safetensors file = AdapterFile.open(dir)) {
            addRows(model, file);
            return load(model, config, dir, file, trainable);
        } catch (RuntimeException e) {
            if (model.config().vocabSize() != rows) model.resizeEmbedding(rows);
            throw e;
        }
    }

    private static PeftModel load(CausalLm model, LoraConfig config, Path dir, Safetensors file, boolean trainable) {
        Map<String, Shape> known = new LinkedHashMap<>();
        for (Parameter parameter : model.parameters()) {
            known.put(AdapterFile.name(parameter.name()), parameter.value().shape());
        }
        known.putIfAbsent(AdapterFile.name("lm_head.weight"), model.head().value().shape());
        PeftModel peft = empty(model, config, trainable, embeddings(file, known), dir);
        try {
            Map<String, Tensor> tensors = peft.tensors();
            AdapterFile.read(file, tensors, known, config, peft.ops);
            if (peft.embedding != null) peft.embedding.take(tensors, peft.ops);
        } catch (RuntimeException e) {
            peft.close();
            throw e;
        }
        return peft;
    }

    /// Whoever made the adapter drew other numbers.
    private static void requireRepeatable(LoraConfig config, Path dir) {
        if (!config.initLoraWeights().isDrawnFromWeight()) return;
        throw new InputException(("%s: the base that init_lora_weights %s made cannot be made again; save the adapter with "
                + "PEFT's path_initial_model_for_weight_conversion, or Gale's saveAsLora")
                .formatted(dir.resolve(AdapterFile.CONFIG), config.initLoraWeights().value()));
    }

    private static PeftModel empty(CausalLm model, LoraConfig config, boolean trainable, Set<String> extra, Path dir) {
        try {
            return new PeftModel(model, config, 0, trainable, extra, Map.of());
        } catch (InputException e) {
            throw new InputException("%s: %s; give the base model it was made for"
                    .formatted(dir.resolve(AdapterFile.CONFIG), e.getMessage()), e);
        }
    }

    private static void addRows(CausalLm model, Safetensors file) {
        Shape own = model.parameter(EmbeddingLora.PATH + ".weight").value().shape();
        for (String parameter : EMBEDDINGS) {
            for (String stored : List.of(AdapterFile.name(parameter), AdapterFile.wrapped(parameter))) {
                if (!file.has(stored)) continue;
                Shape shape = file.shape(stored);
                boolean more = shape.rank() == 2 && shape.dim(1) == own.dim(1) && shape.dim(0) > model.config().vocabSize();
                if (more) model.resizeEmbedding(shape.dim(0));
            }
        }
    }

    /// Whole embeddings that PEFT saves unasked, e.g. after tokens were added.
    private static Set<String> embeddings(Safetensors file, Map<String, Shape> known) {
        Set<String> present = new LinkedHashSet<>();
        for (String parameter : EMBEDDINGS) {
            String name = AdapterFile.name(parameter);
            for (String stored : List.of(name, AdapterFile.wrapped(parameter))) {
                if (file.has(stored) && file.shape(stored).equals(known.get(name))) present.add(parameter);
            }
        }
        return present;
    }

    private void requireBare() {
        for (Projection projection : model.projections().values()) {
            if (!(projection instanceof Linear)) {
                throw new IllegalStateException(projection.path() + " is no plain layer; close its adapter first");
            }
        }
    }

    private static void requireDisjoint(List<String> adapted, Set<String> trained) {
        for (String path : adapted) {
            if (trained.contains(path + ".weight")) {
                throw new InputException(path + " is in target_modules and in modules_to_save; take it out of one");
            }
        }
    }

    /// Parts of a weight are no more than its rows or columns, and blocks of a quantized one fill it.
    private void requireRanks(List<String> adapted) {
        InitLoraWeights init = config.initLoraWeights();
        if (!init.changesBase()) return;
        for (Projection projection : model.projections().values()) {
            String path = projection.path();
            if (!adapted.contains(path)) continue;
            int most = Math.min(projection.inFeatures(), projection.outFeatures());
            if (config.rankOf(path) > most) {
                throw new InputException("LoRA: r is %d, but init_lora_weights %s takes at most %d for %s"
                        .formatted(config.rankOf(path), init.value(), most, path));
            }
            long size = (long) projection.inFeatures() * projection.outFeatures();
            if (init.method() == InitLoraWeights.Method.LOFTQ && size % Nf4.BLOCK != 0) {
                throw new InputException("LoRA: init_lora_weights loftq needs weights of a multiple of %d elements, %s has %d"
                        .formatted(Nf4.BLOCK, path, size));
            }
        }
    }

    /// Experts are multiplied together: what makes one of them unlike the others of its layer, or needs it alone, is refused.
    private void requirePlainExperts(List<String> adapted) {
        Map<String, String> first = new LinkedHashMap<>();
        for (String path : adapted) {
            if (!model.isExpert(path)) continue;
            boolean eva = config.initLoraWeights().method() == InitLoraWeights.Method.EVA;
            if (config.useDora() || config.loraBias() || eva) {
                throw new InputException(("LoRA: %s does not reach %s, an expert of a mixture; leave it out, or the experts out of "
                        + "target_modules").formatted(config.useDora() ? "use_dora" : eva ? "init_lora_weights eva" : "lora_bias", path));
            }
            String other = first.putIfAbsent(path.replaceFirst("\\.\\d+\\.(?=[^.]*$)", "."), path);
            if (other == null || config.rankOf(path) == config.rankOf(other) && config.scaleOf(path) == config.scaleOf(other)) continue;
            throw new InputException(("LoRA: rank_pattern and alpha_pattern must treat the experts of a layer alike, but %s and %s "
                    + "differ").formatted(other, path));
        }
    }

    private void warnOfUnusedPatterns(List<String> adapted) {
        List<String> patterns = new ArrayList<>(config.rankPattern().keySet());
        patterns.addAll(config.alphaPattern().keySet());
        for (String pattern : patterns) {
            if (adapted.stream().noneMatch(path -> LoraConfig.endsInMatch(pattern, path))) {
                LOG.log(System.Logger.Level.WARNING, "rank or alpha pattern {0} fits no adapted module", pattern);
            }
        }
    }

    private void addAdapters(List<String> adapted, long seed, boolean trainable, Map<String, float[]> starts) {
        int number = 0;
        try (AdapterFactory factory = new AdapterFactory(model, config, trainable, starts)) {
            for (Projection projection : model.projections().values()) {
                if (adapted.contains(projection.path())) {
                    AdapterFactory.Made made = factory.make((Linear) projection, new LoraInit(seed, number));
                    adapters.put(projection.path(), made.layer());
                    if (made.start() != null) firsts.put(projection.path(), made.start());
                }
                number++;
            }
            changed.addAll(factory.changed());
        }
        putIn();
    }

    /// The model that computes with the adapter.
    public CausalLm model() {
        return model;
    }

    /// The configuration, its target modules as a list of names.
    public LoraConfig config() {
        return config;
    }

    /// Everything that training changes: those of every adapted module, then what is trained whole.
    public List<Parameter> trainableParameters() {
        List<Parameter> trainable = new ArrayList<>();
        for (LoraLinear lora : adapters.values()) trainable.addAll(lora.own());
        if (embedding != null) trainable.addAll(embedding.own());
        whole.forEach(parameter -> trainable.add(parameter.parameter()));
        trainable.removeIf(parameter -> !parameter.trainable());
        return trainable;
    }

    /// How much is trained, as PEFT's `print_trainable_parameters` says it.
    public TrainableReport trainableReport() {
        return TrainableReport.of(model.parameters());
    }

    /// Every tensor of the adapter by the name that PEFT gives it in files. The tensors are the live ones, but for a copy of
    /// an embedding's A, which lies otherwise in files.
    public Map<String, Tensor> tensors() {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (LoraLinear lora : adapters.values()) {
            for (Parameter parameter : lora.own()) {
                tensors.put(AdapterFile.name(parameter.name()), parameter.value());
            }
        }
        if (embedding != null) embedding.addTo(tensors, ops);
        for (WholeParameter parameter : whole) {
            String name = parameter.parameter().name();
            String path = name.substring(0, name.lastIndexOf('.'));
            boolean adapted = adapters.containsKey(path) || embedding != null && path.equals(EmbeddingLora.PATH);
            tensors.put(adapted ? AdapterFile.wrapped(name) : AdapterFile.name(name), parameter.own());
        }
        return tensors;
    }

    /// Writes `adapter_model.safetensors` and `adapter_config.json`, which PEFT reads. Each file is replaced at once or
    /// not at all. Readers make the base that `pissa`, `olora` and `loftq` need again from the original one, as PEFT does;
    /// for those that do not, there is `saveAsLora`. Throws: InputException when they cannot be written.
    public void save(Path dir) {
        AdapterFile.write(dir, config, tensors(), ops);
    }

    /// As `save`, but an adapter whose start changed the base (`pissa`, `olora`) is written as a plain one of twice the rank
    /// for the base as it was before, which every reader of LoRA takes: PEFT's `path_initial_model_for_weight_conversion`.
    /// Throws: InputException for `loftq`, whose base is a quantized one.
    public void saveAsLora(Path dir) {
        if (firsts.isEmpty()) {
            save(dir);
            return;
        }
        if (config.initLoraWeights().method() == InitLoraWeights.Method.LOFTQ) {
            throw new InputException("an adapter of init_lora_weights loftq belongs to a quantized base: merge it instead");
        }
        Map<String, Tensor> tensors = tensors();
        firsts.forEach((path, start) -> {
            Adapter adapter = adapters.get(path).adapter();
            Tensor a = adapter.a().value();
            Tensor b = adapter.b().value();
            tensors.put(AdapterFile.name(adapter.a().name()), PlainLora.down(a, ops.toFloats(a), start.a()));
            tensors.put(AdapterFile.name(adapter.b().name()), PlainLora.up(b, ops.toFloats(b), start.b()));
        });
        if (embedding != null) {                                                  // began with the base as it is
            Tensor a = tensors.get(AdapterFile.name(embedding.adapter().a().name()));
            Tensor b = embedding.adapter().b().value();
            tensors.put(AdapterFile.name(a.name()), PlainLora.down(a, HostTensor.values(a), new float[(int) a.size()]));
            tensors.put(AdapterFile.name(b.name()), PlainLora.up(b, ops.toFloats(b), new float[(int) b.size()]));
        }
        AdapterFile.write(dir, PlainLora.config(config), tensors, ops);
    }

    /// Sets this adapter's weights to those of a saved one, bit for bit: what resuming a run needs.
    /// Throws: InputException when the saved adapter has not exactly these tensors; nothing is changed then.
    public void restore(Path dir) {
        try (Safetensors saved = AdapterFile.open(dir)) {
            Map<String, Tensor> mine = tensors();
            if (!mine.keySet().equals(Set.copyOf(saved.names()))) {
                throw new InputException("%s has not the tensors of this adapter: resume with the LoRA options the run began with"
                        .formatted(saved.file()));
            }
            mine.forEach((name, tensor) -> {
                if (!tensor.shape().equals(saved.shape(name))) {
                    throw new InputException("%s: %s has shape %s, this adapter's has %s: resume with the LoRA options the run began with"
                            .formatted(saved.file(), name, saved.shape(name), tensor.shape()));
                }
            });
            mine.forEach((name, tensor) -> AdapterFile.copy(saved, name, tensor, ops));
            if (embedding != null) embedding.take(mine, ops);
        }
    }

    /// Until the scope ends the model computes without the adapter, with the base as it was before, as the reference of
    /// preference training does.
    public Scope disableAdapter() {
        require(State.ACTIVE);
        takeOut();
        whole.forEach(WholeParameter::disable);
        changed.forEach(WholeParameter::disable);
        state = State.DISABLED;
        return () -> {
            if (state != State.DISABLED) return;
            whole.forEach(WholeParameter::enable);
            changed.forEach(WholeParameter::enable);
            putIn();
            state = State.ACTIVE;
        };
    }

    private void takeOut() {
        if (embedding != null) model.adaptEmbedding(null);
        adapters.forEach((path, lora) -> model.replace(path, adapted -> lora.base()));
    }

    private void putIn() {
        if (embedding != null) model.adaptEmbedding(embedding.adapter());
        adapters.forEach((path, lora) -> model.replace(path, base -> lora));
    }

    /// Adds the adapter to the weights, `W' = W + scale * B A` (times `m / norm` with DoRA), in F32 and rounded once to W's dtype, so that the model
    /// computes with it and is a plain model, e.g. for `CausalLm.save`.
    /// Throws: InputException when a weight would hold NaN or infinite values, or is quantized; nothing is merged then.
    public void merge() {
        for (LoraLinear lora : adapters.values()) requireDense(lora.base().weight().value());
        for (WholeParameter parameter : whole) requireDense(parameter.original());
        merge(null);
    }

    private static void requireDense(Tensor weight) {
        if (!weight.dtype().quantized()) return;
        throw new InputException(("%s of the base is %s: say whether weights with the adapter in them shall be dense or "
                + "quantized again").formatted(weight.name(), BitsAndBytesConfig.name(weight.dtype())));
    }

    /// As `merge`; quantized weights with the adapter in them are dense.
    public void mergeDequantized(DType dense) {
        merge(new LoraMerge.Quantized(dense));
    }

    /// As `merge`; quantized weights are so again, which rounds what the adapter learned to their few values.
    public void mergeRequantized() {
        merge(new LoraMerge.Quantized(null));
    }

    private void merge(LoraMerge.Quantized quantized) {
        require(State.ACTIVE);
        merge = new LoraMerge(ops, quantized);
        try {
            for (WholeParameter parameter : whole) merge.add(parameter);         // biases, to which B's may be added
            for (LoraLinear lora : adapters.values()) merge.add(lora);
            if (embedding != null) merge.add(model.parameter(EmbeddingLora.PATH + ".weight"), embedding.adapter());
        } catch (RuntimeException e) {
            merge.undo();
            throw e;
        }
        takeOut();
        state = State.MERGED;
    }

    /// Undoes `merge`. The original weights were kept, so they are back bit for bit.
    public void unmerge() {
        require(State.MERGED);
        merge.undo();
        putIn();
        state = State.ACTIVE;
    }

    public boolean isMerged() {
        return state == State.MERGED;
    }

    private void require(State needed) {
        if (state != needed) throw new IllegalStateException("the adapter is %s, not %s".formatted(state, needed));
    }

    /// Takes the adapter out, gives its memory back, and leaves the base as it was, frozen.
    @Override
    public void close() {
        if (state == State.CLOSED) return;
        if (state == State.MERGED) merge.undo();
        if (state == State.ACTIVE) takeOut();
        state = State.CLOSED;
        for (WholeParameter parameter : whole) parameter.release(ops);
        for (WholeParameter parameter : changed) parameter.release(ops);
        if (untied) model.tieHead();
        if (embedding != null) embedding.release(ops);
        for (LoraLinear lora : adapters.values()) {
            for (Parameter parameter : lora.own()) {
                parameter.releaseGrad(ops);
                ops.release(parameter.value());
            }
            if (lora.adapter().magnitude() != null) ops.release(lora.adapter().magnitude().baseNorm());
        }
    }
}
