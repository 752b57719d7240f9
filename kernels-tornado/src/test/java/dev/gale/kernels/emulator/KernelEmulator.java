package dev.gale.kernels.emulator;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import uk.ac.manchester.tornado.api.KernelContext;

/// Runs every thread of a kernel's grid on the JVM, with groups, barriers, local memory and the operations of a warp as
/// the CUDA backend has them. Throws `KernelFault` for indices out of bounds, for barriers and warp operations that not
/// all threads reach, for more local memory than a group has, and for outputs that depend on the order of the threads
/// or on local memory that nobody wrote.
///
/// ```java
/// KernelEmulator.grid(rows * 128).group(128).run(ctx -> NormKernels.rmsNormForward(ctx, y, rstd, x, w, cols, eps));
/// ```
///
/// A kernel without a race gives the same bits in any order of its threads: each run starts from the same arrays and is
/// compared with the first. The arrays are those that the lambda captures, or those given to `arrays`.
public final class KernelEmulator {
    private static final int MAX_GROUP = 1024;
    private static final long SEED = 1;

    private final Extent grid;
    private Extent group;
    private List<Watched> watched;
    private double tolerance;
    private boolean once;

    private KernelEmulator(Extent grid) {
        this.grid = grid;
    }

    /// @param x number of threads, not of groups
    public static KernelEmulator grid(int x, int y, int z) {
        return new KernelEmulator(new Extent(x, y, z));
    }

    public static KernelEmulator grid(int x) {
        return grid(x, 1, 1);
    }

    /// Threads of a work-group.
    public KernelEmulator group(int x, int y, int z) {
        group = new Extent(x, y, z);
        return this;
    }

    public KernelEmulator group(int x) {
        return group(x, 1, 1);
    }

    /// The arrays to compare, when the kernel is not a lambda that captures them.
    public KernelEmulator arrays(Object... arrays) {
        watched = Watched.of(arrays);
        return this;
    }

    /// For kernels whose atomics add floats in any order: how far results may be apart, relative.
    public KernelEmulator tolerance(double relative) {
        tolerance = relative;
        return this;
    }

    /// One run in ascending order: finds no races and not all reads of unwritten local memory, and of the first and the
    /// last group only that not all threads wait at the same place. For large grids.
    public KernelEmulator once() {
        once = true;
        return this;
    }

    /// The arrays hold the results of the ascending order afterwards.
    public void run(Consumer<KernelContext> kernel) {
        if (group == null) throw new IllegalStateException("the size of a group is not set");
        if (group.size() > MAX_GROUP) {
            throw new IllegalArgumentException("a group of " + group + " has over " + MAX_GROUP + " threads");
        }
        List<Watched> arrays = watched == null ? Watched.captured(kernel) : watched;
        if (arrays.isEmpty()) throw new IllegalArgumentException("no array to compare: name them with arrays(...)");
        List<byte[]> inputs = once ? List.of() : arrays.stream().map(Watched::copy).toList();

        WorkGroup.Sites sites = once ? WorkGroup.Sites.ENDS : WorkGroup.Sites.ALL;
        WorkGroup first = new WorkGroup(grid, group, Order.ASCENDING, SEED, false, sites, kernel);
        first.run();
        if (once) return;

        List<byte[]> results = arrays.stream().map(Watched::copy).toList();
        List<String> differences = new ArrayList<>();
        if (first.local.wasUsed()) {
            String difference = again(arrays, inputs, results, Order.ASCENDING, true, kernel);
            if (difference != null) differences.add("reads local memory that no thread wrote: " + difference);
        }
        for (Order order : List.of(Order.DESCENDING, Order.SHUFFLED)) {
            String difference = again(arrays, inputs, results, order, false, kernel);
            if (difference != null) {
                differences.add("race: ascending and %s threads give different results: %s"
                        .formatted(order.name().toLowerCase(), difference));
            }
        }
        for (Watched array : arrays) array.restore(results.get(array.position()));
        if (!differences.isEmpty()) throw new KernelFault(String.join("; ", differences));
    }

    /// Runs a kernel by its name, with casts of local memory to `FloatArray` as the CUDA backend has them: see
    /// `SharedFloats`. The arrays to compare are among the arguments.
    /// @param arguments what the kernel takes after its context
    public void run(Class<?> owner, String kernel, Object... arguments) {
        if (watched == null) arrays(arguments);
        run(SharedFloats.kernel(owner, kernel, arguments));
    }

    private String again(List<Watched> arrays, List<byte[]> inputs, List<byte[]> results, Order order,
                         boolean otherPoison, Consumer<KernelContext> kernel) {
        for (Watched array : arrays) array.restore(inputs.get(array.position()));
        new WorkGroup(grid, group, order, SEED, otherPoison, WorkGroup.Sites.NONE, kernel).run();
        for (Watched array : arrays) {
            String difference = array.difference(results.get(array.position()), tolerance);
            if (difference != null) return difference;
        }
        return null;
    }
}
