package dev.gale.peft;

import dev.gale.nn.CausalLm;
import dev.gale.nn.Linear;
import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Adapter;
import dev.gale.tensor.ops.TensorOps;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// LoRA on one parameter that has a projection of all E experts of a layer, or two on top of each other: `W_e + s B_e A_e`.
/// Here each projection has an adapter, gate and up of an expert with the same A. Files have A as `[E * R, in]`, expert after
/// expert, and B as `[out, R * E]`, whose columns change experts fastest.
/// Source: peft `tuners/lora/layer.py`, `ParamWrapper`.
final class FusedLora {
    private final String path;
    private final List<Parameter> downs = new ArrayList<>();          // A `[R, in]` by expert
    private final List<List<Parameter>> ups = new ArrayList<>();      // parts of B `[out / parts, R]` by expert
    private final Map<String, LoraLinear> layers = new LinkedHashMap<>();

    private FusedLora(String path) {
        this.path = path;
    }

    /// @param path  of the module in files
    /// @param name  of the parameter, which decides rank and alpha
    /// @param parts paths by expert, of each projection in the parameter
    static FusedLora make(CausalLm model, LoraConfig config, String path, String name, List<List<String>> parts, long seed,
                          boolean trainable) {
        FusedLora fused = new FusedLora(path);
        int experts = parts.getFirst().size();
        for (int e = 0; e < experts; e++) {
            int number = e;
            fused.add(model, config, name, parts.stream().map(part -> part.get(number)).toList(), experts, seed, trainable);
        }
        return fused;
    }

    /// @param paths of the parts of one expert
    private void add(CausalLm model, LoraConfig config, String name, List<String> paths, int experts, long seed,
                     boolean trainable) {
        List<String> order = List.copyOf(model.projections().keySet());
        int r = config.rankOf(name);
        Parameter a = null;
        List<Parameter> both = new ArrayList<>();
        for (String path : paths) {
            Linear base = (Linear) model.projections().get(path);
            int in = base.inFeatures();
            int out = base.outFeatures();
            LoraInit init = new LoraInit(seed, order.indexOf(path));
            LoraInit.Values values = init.values(config.initLoraWeights().method(), r, in, out);
            float share = (float) (1 / Math.sqrt(experts));                            // PEFT draws for R * E inputs
            for (int i = 0; i < values.b().length; i++) values.b()[i] *= share;
            if (a == null) a = parameter(model.ops(), path + ".lora_A.weight", values.a(), r, in, trainable);
            both.add(parameter(model.ops(), path + ".lora_B.weight", values.b(), out, r, trainable));
            layers.put(path, new LoraLinear(base, new Adapter(a, both.getLast(), config.scaleOf(name), 0f, init.module())));
        }
        downs.add(a);
        ups.add(both);
    }

    private static Parameter parameter(TensorOps ops, String name, float[] values, int rows, int cols, boolean trainable) {
        Tensor tensor = ops.allocate(name, DType.F32, Shape.of(rows, cols));
        ops.write(tensor, values);
        return new Parameter(name, tensor, trainable);
    }

    /// Adapted projections by path.
    Map<String, LoraLinear> layers() {
        return layers;
    }

    private String nameOfA() {
        return AdapterFile.name(path + ".lora_A.weight");
    }

    private String nameOfB() {
        return AdapterFile.name(path + ".lora_B.weight");
    }

    /// Adds both by their names in a file, as copies in host memory that `take` brings back.
    void addTo(Map<String, Tensor> tensors, TensorOps ops) {
        int r = downs.getFirst().value().rows();
        int in = downs.getFirst().value().cols();
        int experts = downs.size();
        int out = ups.getFirst().stream().mapToInt(part -> part.value().rows()).sum();
        float[] a = new float[experts * r * in];
        float[] b = new float[out * r * experts];
        for (int e = 0; e < experts; e++) {
            System.arraycopy(ops.toFloats(downs.get(e).value()), 0, a, e * r * in, r * in);
            int at = 0;
            for (Parameter part : ups.get(e)) {
                for (float value : ops.toFloats(part.value())) b[experts * at++ + e] = value;
            }
        }
        tensors.put(nameOfA(), HostTensor.of(nameOfA(), a, experts * r, in));
        tensors.put(nameOfB(), HostTensor.of(nameOfB(), b, out, r * experts));
    }

    /// Takes over what `addTo` added.
    void take(Map<String, Tensor> tensors, TensorOps ops) {
        float[] a = HostTensor.values(tensors.get(nameOfA()));
        float[] b = HostTensor.values(tensors.get(nameOfB()));
        int experts = downs.size();
        int each = a.length / experts;
        for (int e = 0; e < experts; e++) {
            ops.write(downs.get(e).value(), Arrays.copyOfRange(a, e * each, (e + 1) * each));
            int at = 0;
            for (Parameter part : ups.get(e)) {
                float[] values = new float[Math.toIntExact(part.value().size())];
                for (int i = 0; i < values.length; i++) values[i] = b[experts * at++ + e];
                ops.write(part.value(), values);
            }
        }
    }
}
