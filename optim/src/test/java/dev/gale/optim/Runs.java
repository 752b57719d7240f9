package dev.gale.optim;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.Fixtures;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/// Parameters under an optimizer, with gradients that depend on the step alone: a wide and a high matrix, an embedding and a
/// vector, of which only the matrices are large enough for states of 8 bits.
final class Runs implements AutoCloseable {
    static final double LR = 1e-2;
    static final double WEIGHT_DECAY = 0.1;
    static final float FACTOR = 0.5f;
    private static final int[][] SHAPES = {{40, 130}, {130, 40}, {50, 100}, {7}};
    private static final String[] NAMES = {"model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.down_proj.weight",
        "model.embed_tokens.weight", "model.norm.weight"};

    final TensorOps ops;
    final List<Parameter> parameters;
    final Optimizer optimizer;
    private final Tensor factor;

    Runs(TensorOps ops, String optim, OptimizerSettings settings) {
        this.ops = ops;
        parameters = IntStream.range(0, SHAPES.length).mapToObj(i -> parameter(ops, i)).toList();
        optimizer = Optimizer.of(optim, ops, ParamGroups.byDecay(parameters, WEIGHT_DECAY), settings);
        factor = ops.allocate("factor", DType.F32, Shape.of(1));
        ops.write(factor, new float[] {FACTOR});
        parameters.forEach(parameter -> parameter.grad(ops));
    }

    private static Parameter parameter(TensorOps ops, int i) {
        Tensor value = ops.allocate(NAMES[i], DType.F32, Shape.of(SHAPES[i]));
        ops.write(value, Fixtures.uniform((int) value.size(), i));
        return new Parameter(NAMES[i], value, true);
    }

    static double lr(int step) {
        return LR * (1 - 0.1 * (step - 1));
    }

    /// Gradients of step t, counted from 1.
    static float[] gradient(Parameter parameter, int step) {
        int n = (int) parameter.value().size();
        float[] common = Fixtures.normal(n, 1, parameter.name().hashCode());
        float[] own = Fixtures.normal(n, 1, parameter.name().hashCode() + step);
        for (int i = 0; i < n; i++) common[i] += own[i];
        return common;
    }

    void step(int step) {
        optimizer.train();
        for (Parameter parameter : parameters) ops.write(parameter.grad(ops), gradient(parameter, step));
        optimizer.step(lr(step), factor);
        optimizer.zeroGrad();
    }

    float[] value(int parameter) {
        return ops.toFloats(parameters.get(parameter).value());
    }

    /// What a checkpoint would hold, in host memory.
    Map<String, Tensor> saved(TensorOps host) {
        Map<String, Tensor> saved = new LinkedHashMap<>();
        optimizer.state().forEach((name, tensor) -> {
            Tensor copy = host.allocate(name, tensor.dtype(), tensor.shape());
            if (tensor.storage() instanceof Storage.Host(MemorySegment segment)) {
                copy.segment().copyFrom(segment.asSlice(0, tensor.byteSize()));
            } else {
                ops.readBytes(copy.segment(), tensor);
            }
            saved.put(name, copy);
        });
        return saved;
    }

    @Override
    public void close() {
        optimizer.close();
    }
}
