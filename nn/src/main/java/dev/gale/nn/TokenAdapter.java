package dev.gale.nn;

import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// Rows of the embedding or the head that are trained apart from it, in F32. Whenever the model computes they stand in the
/// table, rounded to its dtype, so that whatever reads the table reads them. A table that is mapped from a file or belongs to
/// another parameter, too, is copied; of others the rows that were there are kept.
/// Source: peft `tuners/trainable_tokens/layer.py`.
public final class TokenAdapter {
    private final TensorOps ops;
    private final Parameter table;
    private final int[] ids;
    private final List<Run> runs = new ArrayList<>();
    private final Tensor indices;                    // I32 [n]
    private final Parameter rows;                    // [n, D]
    private final Tensor original;                   // the table's value without them
    private final Tensor copy;                       // null when they stand in the original
    private final Tensor before;                     // [n, D], what stood there; null when they stand in a copy

    /// Ids that follow each other.
    private record Run(int id, int at, int count) {}

    /// They begin with what the table has.
    ///
    /// @param table  `[V, D]`
    /// @param ids    different row numbers of it
    /// @param shared whether its value is that of another parameter, too; then it must be where ops compute
    public TokenAdapter(TensorOps ops, Parameter table, int[] ids, boolean shared, boolean trainable) {
        this.ops = ops;
        this.table = table;
        this.ids = ids.clone();
        for (int i = 0; i < ids.length; i++) {
            Run last = runs.isEmpty() ? null : runs.getLast();
            boolean follows = last != null && last.id + last.count == ids[i];
            if (follows) runs.set(runs.size() - 1, new Run(last.id, last.at, last.count + 1));
            else runs.add(new Run(ids[i], i, 1));
        }
        indices = ops.allocate("token indices", DType.I32, Shape.of(ids.length));
        ops.write(indices, ids);
        original = table.value();
        Shape shape = Shape.of(ids.length, original.cols());
        String name = WeightSource.path(table.name()) + ".token_adapter.trainable_tokens_delta";
        rows = new Parameter(name, ops.allocate(name, DType.F32, shape), trainable);
        read(rows.value());
        boolean copies = shared || original.storage() instanceof Storage.Host(MemorySegment bytes) && bytes.isReadOnly();
        copy = copies ? copied() : null;
        before = copies ? null : ops.allocate(name + " before", original.dtype(), shape);
        if (before != null) read(before);
        if (copies) table.setValue(copy);
    }

    private Tensor copied() {
        Tensor own = ops.allocate(original.name(), original.dtype(), original.shape());
        ops.copy(own, original);
        return own;
    }

    /// The row numbers.
    int[] ids() {
        return ids;
    }

    /// As `ids`, I32 `[n]`.
    Tensor indices() {
        return indices;
    }

    /// F32 `[n, D]`.
    public Parameter rows() {
        return rows;
    }

    /// Writes the rows into the table.
    public void write() {
        write(rows.value());
    }

    private void write(Tensor from) {
        Tensor to = table.value();
        if (!HostWeights.waits(ops, to)) {
            for (Run run : runs) ops.copy(ops.rows(to, run.id, run.count), ops.rows(from, run.at, run.count));
        } else if (to.storage() instanceof Storage.Host(MemorySegment bytes)) {
            float[] values = ops.toFloats(from);
            for (int i = 0; i < values.length; i++) Convert.set(bytes, to.dtype(), place(i), values[i]);
        }
    }

    private void read(Tensor to) {
        if (!HostWeights.waits(ops, original)) {
            for (Run run : runs) ops.copy(ops.rows(to, run.at, run.count), ops.rows(original, run.id, run.count));
        } else if (original.storage() instanceof Storage.Host(MemorySegment bytes)) {
            float[] values = new float[Math.toIntExact(to.size())];
            for (int i = 0; i < values.length; i++) values[i] = Convert.get(bytes, original.dtype(), place(i));
            ops.write(to, values);
        }
    }

    /// Where in the table an element of the rows lies.
    private long place(int i) {
        int width = original.cols();
        return (long) ids[i / width] * width + i % width;
    }

    /// False when a row has NaN or infinite values in the table's dtype.
    public boolean isFinite() {
        Tensor rounded = ops.allocate("rounded rows", original.dtype(), rows.value().shape());
        Tensor sum = ops.allocate("sum of squares", DType.F32, Shape.of(1));
        ops.copy(rounded, rows.value());
        ops.fill(sum, 0f);
        ops.sumSquares(sum, rounded);
        boolean finite = Float.isFinite(ops.item(sum));
        ops.release(sum);
        ops.release(rounded);
        return finite;
    }

    /// Gives the table its own rows back, until `enable`.
    public void disable() {
        if (copy != null) table.setValue(original);
        else write(before);
    }

    /// See `disable`.
    public void enable() {
        if (copy != null) table.setValue(copy);
    }

    /// Gives memory and table back.
    public void release() {
        disable();
        rows.releaseGrad(ops);
        for (Tensor tensor : List.of(rows.value(), indices, copy != null ? copy : before)) ops.release(tensor);
    }
}
