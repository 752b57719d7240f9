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
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// A model with a LoRA adapter in it. The base is frozen; initializations that need other weights (`pissa`, `olora`,
/// `loftq`) put new tensors in their place. Closing the adapter gives the base back as it was. Close it before the model.
/// Not thread-safe.
public final class PeftModel implements AutoCloseable {
    private static final Pattern EXPERT = Pattern.compile(".*\\.experts\\.\\d+\\..*");

    private final CausalLm model;
    private final TensorOps ops;
    private final LoraConfig config;
    private final boolean fused;                                                  // as experts in Transformers 5
    private final Map<String, LoraLinear> adapters = new LinkedHashMap<>();
    private final List<FusedLora> experts = new ArrayList<>();
    private final List<WholeParameter> whole = new ArrayList<>();
    private final List<WholeParameter> changed = new ArrayList<>();               // base weights that the start replaced
    private final Map<String, LoraInit.Values> firsts = new LinkedHashMap<>();     // by path, where the base is changed
    private final EmbeddingLora embedding;                                        // null when it is not adapted
    private final TrainedTokens tokens;
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
    private PeftModel(CausalLm model, LoraConfig given, LoraTargets targets, long seed, boolean trainable, Set<String> extra,
                      Map<String, float[]> starts) {
        this.model = model;
        this.ops = model.ops();
        fused = targets.fused();
        AdapterChecks.requireBare(model);
        List<String> adapted = targets.adapted();
        config = given.toBuilder().targetModules(targets.resolved()).build();
        Set<String> trained = new LinkedHashSet<>(targets.savedWhole());
        trained.addAll(targets.trainedBiases(adapted));
        AdapterChecks.requireDisjoint(adapted, trained);
        AdapterChecks.requireRanks(model, config, adapted);
        AdapterChecks.requirePlainExperts(model, config, adapted);
        Set<String> brought = new LinkedHashSet<>(trained);
        brought.addAll(extra);
        AdapterChecks.requireHere(model, brought);
        AdapterChecks.warnOfUnusedPatterns(config, patternNames(targets, adapted));
        boolean adaptsEmbedding = targets.adaptsEmbedding();
        tokens = new TrainedTokens(model, config, trained, adaptsEmbedding);
        for (Parameter parameter : model.parameters()) {
            parameter.setTrainable(false);
            parameter.releaseGrad(ops);
        }
        boolean brings = tables(model).stream().anyMatch(brought::contains);
        untied = model.config().tieWordEmbeddings() && (adaptsEmbedding || tokens.parts() || brings && !tokens.shared());
        if (untied) model.untieHead();
        for (String name : brought) {
            Parameter parameter = model.parameter(name);
            DType dtype = trained.contains(name) ? DType.F32 : parameter.value().dtype();
            whole.add(WholeParameter.of(parameter, dtype, trainable && trained.contains(name), ops));
        }
        embedding = adaptsEmbedding
                ? EmbeddingLora.make(model, config, new LoraInit(seed, model.projections().size()), trainable) : null;
        tokens.make(trainable);
        addAdapters(adapted, targets, seed, trainable, starts);
    }

    private static List<String> patternNames(LoraTargets targets, List<String> adapted) {
        List<String> names = new ArrayList<>(adapted.stream().map(targets::patternName).toList());
        for (ParameterTargets.Experts each : targets.parameters().experts()) {
            names.addAll(List.of(each.gateUpName(), each.downName()));
        }
        return names;
    }

    /// Freezes a model and puts fresh adapters into it.
    /// Throws: InputException when the configuration does not fit the model, or its initialization (`eva`) needs batches;
    /// IllegalStateException when it has an adapter already.
    ///
    /// @param seed decides the starting values together with each module's place in the model
    public static PeftModel inject(CausalLm model, LoraConfig config, long seed) {
        boolean blind = config.initLoraWeights().method() == InitLoraWeights.Method.EVA && model.ops().computes();
        if (blind) throw new InputException("LoRA: init_lora_weights eva needs batches to look at; give them to inject");
        return new PeftModel(model, config, new LoraTargets(config, model), seed, true, Set.of(), Map.of());
    }

    /// As `inject`, for initializations that look at what goes into the layers.
    ///
    /// @param batches of the training data, gone through once or more often; others than `eva` leave them alone
    public static PeftModel inject(CausalLm model, LoraConfig config, long seed, Iterable<CalibrationBatch> batches) {
        boolean looks = config.initLoraWeights().method() == InitLoraWeights.Method.EVA && model.ops().computes();
        if (!looks) return inject(model, config, seed);
        LoraTargets targets = new LoraTargets(config, model);
        LoraConfig resolved = config.toBuilder().targetModules(targets.resolved()).build();
        Eva.Found found = Eva.find(model, resolved, targets.adapted(), batches);
        LoraTargets left = new LoraTargets(found.config(), model);
        return new PeftModel(model, found.config(), left, seed, true, Set.of(), found.starts());
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
        PeftModel peft = empty(model, config, trainable, file, known, dir);
        try {
            Map<String, Tensor> tensors = peft.tensors();
            AdapterFile.read(file, tensors, peft.tokens.repeated(), known, config, peft.ops);
            peft.take(tensors);
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

    private static PeftModel empty(CausalLm model, LoraConfig config, boolean trainable, Safetensors file,
                                   Map<String, Shape> known, Path dir) {
        boolean mixture = model.config().variant().mixture() != null;
        boolean separate = config.targetParameters().isEmpty()
                && (!mixture || file.names().stream().anyMatch(name -> EXPERT.matcher(name).matches()));
        try {
            return new PeftModel(model, config, new LoraTargets(config, model, !separate), 0, trainable,
                    embeddings(model, file, known), Map.of());
        } catch (InputException e) {
            throw new InputException("%s: %s; give the base model it was made for"
                    .formatted(dir.resolve(AdapterFile.CONFIG), e.getMessage()), e);
        }
    }

    private static void addRows(CausalLm model, Safetensors file) {
        Shape own = model.embedding().value().shape();
        for (String parameter : tables(model)) {
            for (String stored : fileNames(parameter)) {
                if (!file.has(stored)) continue;
                Shape shape = file.shape(stored);
                boolean more = shape.rank() == 2 && shape.dim(1) == own.dim(1) && shape.dim(0) > model.config().vocabSize();
                if (more) model.resizeEmbedding(shape.dim(0));
            }
        }
    }

    private static List<String> tables(CausalLm model) {
        return List.of(model.embedding().name(), "lm_head.weight");
    }

    /// What a table may be called in a file.
    private static List<String> fileNames(String parameter) {
        return List.of(AdapterFile.name(parameter), AdapterFile.wrapped(parameter), TrainedTokens.wrapped(parameter));
    }

    /// Whole embeddings that PEFT saves unasked, e.g. after tokens were added; not again the one that a tied head is.
    private static Set<String> embeddings(CausalLm model, Safetensors file, Map<String, Shape> known) {
        Set<String> present = new LinkedHashSet<>();
        boolean tied = model.config().tieWordEmbeddings();
        for (String parameter : tables(model)) {
            for (String stored : fileNames(parameter)) {
                boolean again = tied && parameter.equals("lm_head.weight") && stored.equals(TrainedTokens.wrapped(parameter));
                if (again || !file.has(stored)) continue;
                if (file.shape(stored).equals(known.get(AdapterFile.name(parameter)))) present.add(parameter);
            }
        }
        return present;
    }

    private void addAdapters(List<String> adapted, LoraTargets targets, long seed, boolean trainable,
                             Map<String, float[]> starts) {
        int number = 0;
        try (AdapterFactory factory = new AdapterFactory(model, config, trainable, starts)) {
            for (Projection projection : model.projections().values()) {
                if (adapted.contains(projection.path())) {
                    AdapterFactory.Made made = factory.make((Linear) projection, targets.patternName(projection.path()),
                            new LoraInit(seed, number));
                    adapters.put(projection.path(), made.layer());
                    if (made.start() != null) firsts.put(projection.path(), made.start());
                }
                number++;
            }
            changed.addAll(factory.changed());
        }
        for (ParameterTargets.Experts each : targets.parameters().experts()) addExperts(each, seed, trainable);
        putIn();
    }

    /// PEFT wraps a module once for each of its parameters that is adapted, the last one outermost.
    private void addExperts(ParameterTargets.Experts each, long seed, boolean trainable) {
        String inner = each.down() ? each.path() + ".base_layer" : each.path();
        if (each.gateUp()) {
            List<List<String>> both = List.of(each.gates(), each.ups());
            experts.add(FusedLora.make(model, config, inner, each.gateUpName(), both, seed, trainable));
        }
        if (each.down()) {
            List<List<String>> one = List.of(each.downs());
            experts.add(FusedLora.make(model, config, each.path(), each.downName(), one, seed, trainable));
        }
        experts.forEach(parameter -> adapters.putAll(parameter.layers()));
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
        Set<Parameter> trainable = own();
        whole.forEach(parameter -> trainable.add(parameter.parameter()));
        return trainable.stream().filter(Parameter::trainable).toList();
    }

    /// Parameters that are the adapter's and not the base's, each once.
    private Set<Parameter> own() {
        Set<Parameter> own = new LinkedHashSet<>();
        for (LoraLinear lora : adapters.values()) own.addAll(lora.own());
        if (embedding != null) own.addAll(embedding.own());
        own.addAll(tokens.own());
        return own;
    }

    /// How much is trained, as PEFT's `print_trainable_parameters` says it.
    public TrainableReport trainableReport() {
        return TrainableReport.of(model.parameters());
    }

    /// Every tensor of the adapter by the name that PEFT gives it in files. The tensors are the live ones, but for copies of
    /// an embedding's A and of what experts have together, which lie otherwise in files.
    public Map<String, Tensor> tensors() {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        adapters.forEach((path, lora) -> {
            if (fused && model.isExpert(path)) return;
            for (Parameter parameter : lora.own()) {
                String name = fused ? ParameterTargets.inTransformers5(parameter.name()) : parameter.name();
                tensors.put(AdapterFile.name(name), parameter.value());
            }
        });
        experts.forEach(parameter -> parameter.addTo(tensors, ops));
        if (embedding != null) embedding.addTo(tensors, ops);
        tokens.addTo(tensors);
        for (WholeParameter parameter : whole) {
            String name = parameter.parameter().name();
            String path = name.substring(0, name.lastIndexOf('.'));
            boolean adapted = adapters.containsKey(path) || embedding != null && path.equals(EmbeddingLora.path(model));
            tensors.put(adapted ? AdapterFile.wrapped(name) : tokens.fileName(name), parameter.own());
        }
        tensors.putAll(tokens.grown(whole.stream().map(parameter -> parameter.parameter().name()).collect(Collectors.toSet())));
        return tensors;
    }

    /// Takes over what `tensors` gave copies of.
    private void take(Map<String, Tensor> tensors) {
        if (embedding != null) embedding.take(tensors, ops);
        experts.forEach(parameter -> parameter.take(tensors, ops));
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
                throw new InputException(
                        "%s has not the tensors of this adapter: resume with the LoRA options the run began with"
                        .formatted(saved.file()));
            }
            mine.forEach((name, tensor) -> {
                if (!tensor.shape().equals(saved.shape(name))) {
                    throw new InputException(("%s: %s has shape %s, this adapter's has %s: resume with the LoRA options "
                            + "the run began with").formatted(saved.file(), name, saved.shape(name), tensor.shape()));
                }
            });
            mine.forEach((name, tensor) -> AdapterFile.copy(saved, name, tensor, ops));
            take(mine);
        }
    }

    /// Until the scope ends the model computes without the adapter, with the base as it was before, as the reference of
    /// preference training does.
    public Scope disableAdapter() {
        require(State.ACTIVE);
        takeOut();
        tokens.disable();
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
        if (embedding != null) model.embeddingAdapters().set(null);
        tokens.takeOut();
        adapters.forEach((path, lora) -> model.replace(path, adapted -> lora.base()));
    }

    private void putIn() {
        if (embedding != null) model.embeddingAdapters().set(embedding.adapter());
        tokens.putIn();
        adapters.forEach((path, lora) -> model.replace(path, base -> lora));
    }

    /// Adds the adapter to the weights, `W' = W + scale * B A` (times `m / norm` with DoRA), in F32 and rounded once to W's
    /// dtype, so that the model computes with it and is a plain model, e.g. for `CausalLm.save`.
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
            if (embedding != null) merge.add(model.embedding(), embedding.adapter());
            tokens.merge();
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
        tokens.release();
        for (WholeParameter parameter : whole) parameter.release(ops);
        for (WholeParameter parameter : changed) parameter.release(ops);
        if (untied) model.tieHead();
        Set<Parameter> own = own();
        tokens.own().forEach(own::remove);
        for (Parameter parameter : own) {
            parameter.releaseGrad(ops);
            ops.release(parameter.value());
        }
        for (LoraLinear lora : adapters.values()) {
            if (lora.adapter().magnitude() != null) ops.release(lora.adapter().magnitude().baseNorm());
        }
    }
}
