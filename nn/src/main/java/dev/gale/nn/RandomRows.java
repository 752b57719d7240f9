package dev.gale.nn;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;

/// Fills matrices with rows that the device picks at random from a table of random rows, one table a width: billions of
/// weights are there in seconds, where normal numbers from the host would take minutes. Every row is normal, but a matrix with
/// more rows than the table repeats some: good for measuring, not for training.
public final class RandomRows implements AutoCloseable {
    private static final int TABLE_SIZE = 1 << 24;

    private final TensorOps ops;
    private final DType dtype;
    private final double deviation;
    private final SplittableRandom random;
    private final long seed;
    private final Map<Integer, Tensor> tables = new HashMap<>();

    /// @param dtype     of the tables; matrices of another one get converted values
    /// @param deviation standard deviation of the elements, whose mean is 0
    public RandomRows(TensorOps ops, long seed, DType dtype, double deviation) {
        this.ops = ops;
        this.seed = seed;
        this.dtype = dtype;
        this.deviation = deviation;
        random = new SplittableRandom(seed);
    }

    /// Makes the table of a width now, so that it does not come to lie between what is filled.
    public void prepare(int cols) {
        tables.computeIfAbsent(cols, this::table);
    }

    private Tensor table(int cols) {
        Tensor table = ops.allocate("random rows", dtype, Shape.of(Math.max(1, TABLE_SIZE / cols), cols));
        WeightSource.writeNormal(ops, table, seed, cols, deviation);
        return table;
    }

    /// Writes: `y =` random rows. Shapes: y `[M, N]`, floating.
    public void fill(Tensor y) {
        prepare(y.cols());
        Tensor table = tables.get(y.cols());
        Tensor ids = ops.allocate("ids", DType.I32, Shape.of(y.rows()));
        ops.write(ids, random.ints(y.rows(), 0, table.rows()).toArray());
        ops.gatherRows(y, table, ids);
        ops.border();
        ops.release(ids);
    }

    @Override
    public void close() {
        tables.values().forEach(ops::release);
        tables.clear();
    }
}
