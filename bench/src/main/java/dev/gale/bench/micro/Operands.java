package dev.gale.bench.micro;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.Random;

/// Seeded operands for kernel benchmarks.
final class Operands {
    private Operands() {}

    /// Uniform in [-1, 1).
    static float[] uniform(int n, long seed) {
        Random random = new Random(seed);
        float[] values = new float[n];
        for (int i = 0; i < n; i++) values[i] = 2 * random.nextFloat() - 1;
        return values;
    }

    static Tensor tensor(TensorOps ops, DType dtype, long seed, int... dims) {
        Tensor tensor = ops.allocate("operand " + seed, dtype, Shape.of(dims));
        ops.write(tensor, uniform(Math.toIntExact(tensor.size()), seed));
        return tensor;
    }

    static Tensor tensor(TensorOps ops, long seed, int... dims) {
        return tensor(ops, DType.F32, seed, dims);
    }

    static Tensor ints(TensorOps ops, int... values) {
        Tensor tensor = ops.allocate("ints", DType.I32, Shape.of(values.length));
        ops.write(tensor, values);
        return tensor;
    }

    /// First keys and ends of keys of a causal mask over one sequence.
    static Tensor[] causal(TensorOps ops, int tokens) {
        int[] stop = new int[tokens];
        for (int i = 0; i < tokens; i++) stop[i] = i + 1;
        return new Tensor[] {ints(ops, new int[tokens]), ints(ops, stop)};
    }
}
