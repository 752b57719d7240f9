package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;

/// Sums over the threads of a work-group.
///
/// TornadoVM 5.2.0 moves reads of a kernel out of the branches and past the barriers around them, unless the kernel has a private
/// array: without one, `local[thread + step]` was read by every thread, beyond the end of the array too, which an NVIDIA GPU
/// answers with an illegal access. So each of these has a private array, and with it every kernel that sums.
public final class Reduce {
    /// Columns of one work-group of a kernel that sums columns.
    public static final int COLUMNS = 32;

    /// How many rows such a work-group reads at a time.
    public static final int ROWS = Elements.GROUP / COLUMNS;

    private Reduce() {}

    /// Sum of one value from each of `Elements.GROUP` threads along x; every thread gets it.
    /// Numerics: a tree in local memory: thread t takes in t + 128, then t + 64 and so on; F32, deterministic.
    /// Writes: `local`, an array of `Elements.GROUP` in local memory; it may be used again at once.
    public static float sum(KernelContext context, float[] local, float value) {
        float[] pin = new float[1];                  // see the class
        int thread = context.localIdx;
        local[thread] = value;
        context.localBarrier();
        for (int step = Elements.GROUP / 2; step > 0; step = step / 2) {
            if (thread < step) local[thread] = local[thread] + local[thread + step];
            context.localBarrier();
        }
        pin[0] = local[0];
        context.localBarrier();
        return pin[0];
    }

    /// Sum over the rows of a tile of threads, for kernels that sum the columns of a matrix: thread t has row
    /// `t / COLUMNS` of column `t % COLUMNS`. Threads below COLUMNS get the sum of their column, others nothing of use.
    /// Numerics and Writes: as `sum`.
    public static float columns(KernelContext context, float[] local, float value) {
        float[] pin = new float[1];                  // see the class
        int thread = context.localIdx;
        local[thread] = value;
        context.localBarrier();
        for (int step = Elements.GROUP / 2; step >= COLUMNS; step = step / 2) {
            if (thread < step) local[thread] = local[thread] + local[thread + step];
            context.localBarrier();
        }
        pin[0] = local[thread];
        context.localBarrier();
        return pin[0];
    }
}
