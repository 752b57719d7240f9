package dev.gale.peft;

import dev.gale.nn.CausalLm;
import dev.gale.nn.Linear;
import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Adapter;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.ops.TensorOps;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Makes the adapters of a model with their starting values, and the base's weights that some of these ask for.
final class AdapterFactory implements AutoCloseable {
    private final TensorOps ops;
    private final LoraConfig config;
    private final boolean trainable;
    private final WeightInit weights;                         // null when the base stays as it is
    private final Map<String, float[]> starts;                // A by path, for `eva`
    private final List<WholeParameter> changed = new ArrayList<>();

    /// @param starts A by path, for `eva`; empty for zeros
    AdapterFactory(CausalLm model, LoraConfig config, boolean trainable, Map<String, float[]> starts) {
        this.starts = starts;
        ops = model.ops();
        this.config = config;
        this.trainable = trainable;
        weights = config.initLoraWeights().changesBase() ? new WeightInit(ops, config, model::stored) : null;
    }

    /// An adapted layer and what it began with; its base has its new weight from now on.
    ///
    /// @param start null when what it began with changes nothing
    record Made(LoraLinear layer, LoraInit.Values start) {}

    /// @param name by which patterns of rank and alpha know the layer
    /// @param init random numbers of the layer's own
    Made make(Linear base, String name, LoraInit init) {
        int r = config.rankOf(name);
        float scale = config.scaleOf(name);
        LoraInit.Values values = switch (config.initLoraWeights().method()) {
            case PISSA, OLORA, LOFTQ -> fromWeight(base.weight(), r, scale);
            case EVA -> new LoraInit.Values(starts.getOrDefault(base.path(), new float[r * base.inFeatures()]),
                    new float[base.outFeatures() * r]);
            default -> init.values(config.initLoraWeights().method(), r, base.inFeatures(), base.outFeatures());
        };
        Parameter a = parameter(base.path() + ".lora_A.weight", values.a(), r, base.inFeatures());
        Parameter b = parameter(base.path() + ".lora_B.weight", values.b(), base.outFeatures(), r);
        Parameter bias = config.loraBias()
                ? parameter(base.path() + ".lora_B.bias", init.bias(config.initLoraWeights().method(), r, base.outFeatures()),
                        base.outFeatures()) : null;
        Adapter adapter = new Adapter(a, b, bias, null, scale, (float) config.loraDropout(), init.module());
        if (config.useDora()) adapter = decomposed(base, adapter);
        return new Made(new LoraLinear(base, adapter), weights == null ? null : values);
    }

    /// Lengths begin with what they are, so that this changes nothing.
    private Adapter decomposed(Linear base, Adapter plain) {
        Tensor baseNorm = F.rowNorms(ops, base.weight());
        Tensor length = F.rowNorms(ops, base.weight(), with(plain, null, baseNorm));
        return with(plain, new Parameter(base.path() + ".lora_magnitude_vector", length, trainable), baseNorm);
    }

    private static Adapter with(Adapter plain, Parameter length, Tensor baseNorm) {
        return new Adapter(plain.a(), plain.b(), null, new Adapter.Magnitude(length, baseNorm), plain.scale(), plain.dropout(),
                plain.stream());
    }

    private LoraInit.Values fromWeight(Parameter weight, int r, float scale) {
        WeightInit.Start start = weights.of(weight, r, scale);
        changed.add(WholeParameter.replaced(weight, start.base()));
        return start.values();
    }

    private Parameter parameter(String name, float[] values, int... dims) {
        Tensor tensor = ops.allocate(name, DType.F32, Shape.of(dims));
        ops.write(tensor, values);
        return new Parameter(name, tensor, trainable);
    }

    /// Weights of the base that the adapters made so far replaced.
    List<WholeParameter> changed() {
        return changed;
    }

    @Override
    public void close() {
        if (weights != null) weights.close();
    }
}
