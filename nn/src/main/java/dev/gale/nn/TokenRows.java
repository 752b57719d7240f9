package dev.gale.nn;

import dev.gale.tensor.Convert;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/// Tables with a row for each token, for models that are given other numbers of tokens.
final class TokenRows {
    private TokenRows() {}

    /// A parameter of that name with another number of rows in the place of one that is released.
    ///
    /// @param owned tensors that the model releases
    static Parameter resized(TensorOps ops, Parameter table, int rows, Set<Tensor> owned) {
        Tensor value = resized(ops, table.value(), rows);
        owned.add(value);
        table.releaseGrad(ops);
        if (owned.remove(table.value())) ops.release(table.value());
        return new Parameter(table.name(), value, table.trainable());
    }

    /// A copy with the first rows, or with more, each of the new ones the mean of the old: a token that nobody trained is then
    /// like the others, instead of likelier or less likely than all of them. Shapes: table `[V, D]`, result `[rows, D]`, or
    /// `[V]` and `[rows]`. The mean is that of double sums, rounded once to the table's dtype.
    ///
    /// Source: `resize_token_embeddings` of huggingface/transformers, whose new rows scatter around the mean by 1e-9 of the
    /// covariance.
    private static Tensor resized(TensorOps ops, Tensor table, int rows) {
        boolean waits = HostWeights.waits(ops, table);
        Shape shape = table.shape().rank() == 1 ? Shape.of(rows) : Shape.of(rows, table.cols());
        Tensor resized = waits ? ops.allocateOnHost(table.name(), table.dtype(), shape)
                : ops.allocate(table.name(), table.dtype(), shape);
        if (!ops.computes()) return resized;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(Math.max(resized.byteSize(), table.byteSize()));
            MemorySegment old = bytes.asSlice(0, table.byteSize());
            if (waits) old.copyFrom(table.segment().asSlice(0, table.byteSize()));
            else ops.readBytes(old, table);
            fill(bytes, table, resized.size());
            if (waits) resized.segment().copyFrom(bytes.asSlice(0, resized.byteSize()));
            else ops.writeBytes(resized, bytes.asSlice(0, resized.byteSize()));
        }
        return resized;
    }

    /// The mean of the table's rows behind them, up to so many elements.
    private static void fill(MemorySegment bytes, Tensor table, long size) {
        float[] mean = mean(table, bytes, table.shape().rank() == 1 ? 1 : table.cols());
        for (long i = table.size(); i < size; i++) Convert.set(bytes, table.dtype(), i, mean[(int) (i % mean.length)]);
    }

    private static float[] mean(Tensor table, MemorySegment bytes, int cols) {
        double[] sums = new double[cols];
        long rows = table.size() / cols;
        long at = 0;
        for (long row = 0; row < rows; row++) {
            for (int col = 0; col < sums.length; col++) sums[col] += Convert.get(bytes, table.dtype(), at++);
        }
        float[] mean = new float[sums.length];
        for (int col = 0; col < sums.length; col++) mean[col] = (float) (sums[col] / rows);
        return mean;
    }
}
