package dev.gale.bench.operation;

import dev.gale.nn.RandomRows;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/// Operands of an operation that is measured: random, as constants cost a device less power and time.
final class Operands implements AutoCloseable {
    private final TensorOps ops;
    private final RandomRows rows;
    private final List<Tensor> made = new ArrayList<>();

    /// @param rows on the same operations, kept from operation to operation
    Operands(TensorOps ops, RandomRows rows) {
        this.ops = ops;
        this.rows = rows;
    }

    /// Normal numbers.
    static RandomRows rows(TensorOps ops) {
        return new RandomRows(ops, 1, DType.BF16, 1);
    }

    TensorOps ops() {
        return ops;
    }

    /// A tensor of undefined content.
    Tensor empty(DType dtype, int... dims) {
        Tensor tensor = ops.allocate("operand " + made.size(), dtype, Shape.of(dims));
        made.add(tensor);
        return tensor;
    }

    /// Normal numbers in the dtype of activations.
    Tensor activations(int rows, int cols) {
        return random(ops.activationType(), rows, cols);
    }

    /// Normal numbers in BF16, as frozen weights are.
    Tensor weight(int rows, int cols) {
        return random(DType.BF16, rows, cols);
    }

    Tensor random(DType dtype, int rows, int cols) {
        Tensor tensor = empty(dtype, rows, cols);
        if (!(ops instanceof NullOps)) this.rows.fill(tensor);
        return tensor;
    }

    /// NF4 of any codes, with scales alike.
    Tensor nf4(int rows, int cols) {
        Tensor tensor = ops.allocate("operand " + made.size(), Quantization.NF4, Shape.of(rows, cols));
        made.add(tensor);
        byte[] codes = new byte[Math.toIntExact(tensor.byteSize())];
        new Random(made.size()).nextBytes(codes);
        ops.writeBytes(tensor, MemorySegment.ofArray(codes));
        ops.fill(tensor.scales().absmax(), 0.1f);
        return tensor;
    }

    Tensor filled(DType dtype, float value, int... dims) {
        Tensor tensor = empty(dtype, dims);
        ops.fill(tensor, value);
        return tensor;
    }

    Tensor ints(int[] values) {
        Tensor tensor = empty(DType.I32, values.length);
        ops.write(tensor, values);
        return tensor;
    }

    @Override
    public void close() {
        made.forEach(ops::release);
    }
}
