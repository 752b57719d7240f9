package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;

/// Sums and maxima over the threads of a work-group.
/// Two rules of TornadoVM 5.2.0 show here. Local memory is allocated in the method that uses it: as an argument it is taken for
/// a Java array, header and all, and every index is wrong, beyond its end too, which an NVIDIA GPU answers with an illegal
/// access. And a kernel that reads local memory has a private array: without one, reads leave the branches and barriers around
/// them.
public final class Reduce {
    /// Columns of one work-group of a kernel that sums columns.
    public static final int COLUMNS = 32;

    /// How many rows such a work-group reads at a time.
    public static final int ROWS = Elements.GROUP / COLUMNS;

    /// Threads of a warp.
    public static final int LANES = 32;

    private Reduce() {}

    /// The largest of one value from each thread of a warp; every thread gets it. For devices with warps; NaN is passed over
    /// there.
    public static float warpMax(KernelContext context, float value) {
        float most = value;
        for (int lanes = LANES / 2; lanes > 0; lanes = lanes / 2) {
            most = TornadoMath.max(most, context.simdShuffleDown(most, lanes));
        }
        return context.simdBroadcastFirst(most);
    }

    /// Sum of one value from each of `Elements.GROUP` threads along x; every thread gets it.
    /// Numerics: a tree in local memory: thread t takes in t + 128, then t + 64 and so on; F32, deterministic.
    public static float sum(KernelContext context, float value) {
        float[] local = context.allocateFloatLocalArray(Elements.GROUP);
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

    /// Largest of one value from each of `Elements.GROUP` threads along x, NaN passed over; every thread gets it.
    public static float max(KernelContext context, float value) {
        float[] local = context.allocateFloatLocalArray(Elements.GROUP);
        float[] pin = new float[1];                  // see the class
        int thread = context.localIdx;
        local[thread] = value;
        context.localBarrier();
        for (int step = Elements.GROUP / 2; step > 0; step = step / 2) {
            if (thread < step) {
                if (!(local[thread] >= local[thread + step])) local[thread] = local[thread + step];
            }
            context.localBarrier();
        }
        pin[0] = local[0];
        context.localBarrier();
        return pin[0];
    }

    /// Sum over the rows of a tile of threads, for kernels that sum the columns of a matrix: thread t has row
    /// `t / COLUMNS` of column `t % COLUMNS`. Threads below COLUMNS get the sum of their column, others nothing of use.
    /// Numerics: as `sum`.
    public static float columns(KernelContext context, float value) {
        float[] local = context.allocateFloatLocalArray(Elements.GROUP);
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
