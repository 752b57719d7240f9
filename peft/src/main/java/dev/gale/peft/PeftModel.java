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

/// A model with a LoRA adapter in it. The base is frozen and its values are never changed: closing the adapter gives it
/// back as it was. Close it before the model. Not thread-safe.
public final class PeftModel implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(PeftModel.class.getName());

    private final CausalLm model;
    private final TensorOps ops;
    private final LoraConfig config;
    private final Map<String, LoraLinear> adapters = new LinkedHashMap<>();
    private final List<WholeParameter> whole = new ArrayList<>();
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
    private PeftModel(CausalLm model, LoraConfig given, long seed, boolean trainable, Set<String> extra) {
        this.model = model;
        this.ops = model.ops();
        LoraTargets targets = new LoraTargets(given, model);
        requireBare();
        List<String> adapted = targets.adapted();
        config = given.toBuilder().targetModules(targets.resolved()).build();
        Set<String> trained = new LinkedHashSet<>(targets.savedWhole());
        trained.addAll(targets.trainedBiases(adapted));
        requireDisjoint(adapted, trained);
        warnOfUnusedPatterns(adapted);
        for (Parameter parameter : model.parameters()) {
            parameter.setTrainable(false);
            parameter.releaseGrad(ops);
        }
        Set<String> brought = new LinkedHashSet<>(trained);
        brought.addAll(extra);
        untied = model.config().tieWordEmbeddings()
                && (brought.contains("lm_head.weight") || brought.contains("model.embed_tokens.weight"));
        if (untied) model.untieHead();
        for (String name : brought) {
            whole.add(WholeParameter.of(model.parameter(name), trainable && trained.contains(name), ops));
        }
        addAdapters(adapted, seed, trainable);
    }

    /// Freezes a model and puts fresh adapters into it.
    /// Throws: InputException when the configuration does not fit the model; IllegalStateException when it has an
    /// adapter already.
    ///
    /// @param seed decides the starting values together with each module's place in the model
    public static PeftModel inject(CausalLm model, LoraConfig config, long seed) {
        return new PeftModel(model, config, seed, true, Set.of());
    }

    /// Puts an adapter that PEFT or Gale wrote into the model it was made for.
    /// Throws: InputException naming the file and the tensor when it was made for another one or is broken; the model
    /// is as it was then.
    ///
    /// @param trainable whether training goes on; else everything is frozen
    public static PeftModel load(CausalLm model, Path dir, boolean trainable) {
        LoraConfig config = LoraConfig.read(dir.resolve(AdapterFile.CONFIG));
        try (Safetensors file = AdapterFile.open(dir)) {
            Map<String, Shape> known = new LinkedHashMap<>();
            for (Parameter parameter : model.parameters()) {
                known.put(AdapterFile.name(parameter.name()), parameter.value().shape());
            }
            known.putIfAbsent(AdapterFile.name("lm_head.weight"), model.head().value().shape());
            PeftModel peft = empty(model, config, trainable, embeddings(file, known), dir);
            try {
                AdapterFile.read(file, peft.tensors(), known, config, peft.ops);
            } catch (RuntimeException e) {
                peft.close();
                throw e;
            }
            return peft;
        }
    }

    private static PeftModel empty(CausalLm model, LoraConfig config, boolean trainable, Set<String> extra, Path dir) {
        try {
            return new PeftModel(model, config, 0, trainable, extra);
        } catch (InputException e) {
            throw new InputException("%s: %s; give the base model it was made for"
                    .formatted(dir.resolve(AdapterFile.CONFIG), e.getMessage()), e);
        }
    }

    /// Whole embeddings that PEFT saves unasked, e.g. after tokens were added.
    private static Set<String> embeddings(Safetensors file, Map<String, Shape> known) {
        Set<String> present = new LinkedHashSet<>();
        for (String parameter : List.of("model.embed_tokens.weight", "lm_head.weight")) {
            String name = AdapterFile.name(parameter);
            if (file.has(name) && file.shape(name).equals(known.get(name))) present.add(parameter);
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

    private void warnOfUnusedPatterns(List<String> adapted) {
        List<String> patterns = new ArrayList<>(config.rankPattern().keySet());
        patterns.addAll(config.alphaPattern().keySet());
        for (String pattern : patterns) {
            if (adapted.stream().noneMatch(path -> LoraConfig.endsInMatch(pattern, path))) {
                LOG.log(System.Logger.Level.WARNING, "rank or alpha pattern {0} fits no adapted module", pattern);
            }
        }
    }

    private void addAdapters(List<String> adapted, long seed, boolean trainable) {
        int number = 0;
        for (Projection projection : model.projections().values()) {
            if (adapted.contains(projection.path())) {
                Adapter adapter = adapter(projection, new LoraInit(seed, number), trainable);
                adapters.put(projection.path(), new LoraLinear((Linear) projection, adapter));
            }
            number++;
        }
        adapters.forEach((path, lora) -> model.replace(path, base -> lora));
    }

    private Adapter adapter(Projection base, LoraInit init, boolean trainable) {
        int r = config.rankOf(base.path());
        int in = base.inFeatures();
        int out = base.outFeatures();
        Tensor a = ops.allocate(base.path() + ".lora_A.weight", DType.F32, Shape.of(r, in));
        Tensor b = ops.allocate(base.path() + ".lora_B.weight", DType.F32, Shape.of(out, r));
        ops.write(a, init.down(config.initLoraWeights(), r, in));
        ops.write(b, init.up(config.initLoraWeights(), out, r));
        return new Adapter(new Parameter(a.name(), a, trainable), new Parameter(b.name(), b, trainable),
                config.scaleOf(base.path()), (float) config.loraDropout(), init.module());
    }

    /// The model that computes with the adapter.
    public CausalLm model() {
        return model;
    }

    /// The configuration, its target modules as a list of names.
    public LoraConfig config() {
        return config;
    }

    /// Everything that training changes: A and B of every module, then what is trained whole.
    public List<Parameter> trainableParameters() {
        List<Parameter> trainable = new ArrayList<>();
        for (LoraLinear lora : adapters.values()) trainable.addAll(List.of(lora.adapter().a(), lora.adapter().b()));
        whole.forEach(parameter -> trainable.add(parameter.parameter()));
        trainable.removeIf(parameter -> !parameter.trainable());
        return trainable;
    }

    /// How much is trained, as PEFT's `print_trainable_parameters` says it.
    public TrainableReport trainableReport() {
        return TrainableReport.of(model.parameters());
    }

    /// Every tensor of the adapter by the name that PEFT gives it in files. The tensors are the live ones.
    public Map<String, Tensor> tensors() {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (LoraLinear lora : adapters.values()) {
            for (Parameter parameter : List.of(lora.adapter().a(), lora.adapter().b())) {
                tensors.put(AdapterFile.name(parameter.name()), parameter.value());
            }
        }
        for (WholeParameter parameter : whole) {
            String name = parameter.parameter().name();
            String path = name.substring(0, name.lastIndexOf('.'));
            boolean adapted = adapters.containsKey(path);
            tensors.put(adapted ? AdapterFile.adaptedBias(path) : AdapterFile.name(name), parameter.own());
        }
        return tensors;
    }

    /// Writes `adapter_model.safetensors` and `adapter_config.json`, which PEFT reads. Each file is replaced at once or
    /// not at all. Throws: InputException when they cannot be written.
    public void save(Path dir) {
        AdapterFile.write(dir, config, tensors(), ops);
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
            mine.forEach((name, tensor) -> model.ops().copy(tensor, saved.tensor(name)));
        }
    }

    /// Until the scope ends the model computes without the adapter, as the reference of preference training does.

    public Scope disableAdapter() {
        require(State.ACTIVE);
        takeOut();
        whole.forEach(WholeParameter::disable);
        state = State.DISABLED;
        return () -> {
            if (state != State.DISABLED) return;
            whole.forEach(WholeParameter::enable);
            putIn();
            state = State.ACTIVE;
        };
    }

    private void takeOut() {
        adapters.forEach((path, lora) -> model.replace(path, adapted -> lora.base()));
    }

    private void putIn() {
        adapters.forEach((path, lora) -> model.replace(path, base -> lora));
    }

    /// Adds the adapter to the weights, `W' = W + scale * B A`, in F32 and rounded once to W's dtype, so that the model
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
            for (LoraLinear lora : adapters.values()) merge.add(lora.base().weight(), lora.adapter());
            for (WholeParameter parameter : whole) merge.add(parameter);
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
        if (untied) model.tieHead();
        for (LoraLinear lora : adapters.values()) {
            for (Parameter parameter : List.of(lora.adapter().a(), lora.adapter().b())) {
                parameter.releaseGrad(ops);
                ops.release(parameter.value());
            }
        }
    }
}
