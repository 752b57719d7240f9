package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// Moving words between the host's staging arrays and the device's chunks, and within a chunk.
public final class MemoryKernels {
    private MemoryKernels() {}

    /// Reads one element, so that the device gives the array a buffer.
    public static void look(KernelContext context, LongArray chunk, IntArray seen) {
        if (context.globalIdx == 0) seen.set(0, (int) chunk.get(0));
    }

    /// `to[table[0] + i] = staging[i]` for i < table[1]. Launch: any grid of `threads` threads.
    public static void upload(KernelContext context, IntArray table, IntArray staging, IntArray to, int threads) {
        int first = table.get(0);
        int count = table.get(1);
        for (int i = context.globalIdx; i < count; i += threads) to.set(first + i, staging.get(i));
    }

    /// `to[i] = from[i]`, words of 8 bytes. Operands in the table: to, from, their first elements counted in words of 2 bytes.
    /// Launch: one group of `Elements.GROUP` threads for `Elements.BLOCK` words. Writes: `=`.
    public static void copyLongs(KernelContext context, IntArray table, int slot, LongArray to, LongArray from, int n) {
        int atTo = table.get(slot) / 4;
        int atFrom = table.get(slot + 1) / 4;
        int i = context.groupIdx * Elements.BLOCK + context.localIdx;
        long w0 = from.get(atFrom + Math.min(i, n - 1));
        long w1 = from.get(atFrom + Math.min(i + Elements.GROUP, n - 1));
        long w2 = from.get(atFrom + Math.min(i + 2 * Elements.GROUP, n - 1));
        long w3 = from.get(atFrom + Math.min(i + 3 * Elements.GROUP, n - 1));
        if (i < n) to.set(atTo + i, w0);
        if (i + Elements.GROUP < n) to.set(atTo + i + Elements.GROUP, w1);
        if (i + 2 * Elements.GROUP < n) to.set(atTo + i + 2 * Elements.GROUP, w2);
        if (i + 3 * Elements.GROUP < n) to.set(atTo + i + 3 * Elements.GROUP, w3);
    }

    /// `staging[i] = from[table[0] + i]` for i < table[1], and `staging[mark] = table[2]`, by which the host knows that this
    /// ran. Launch: any grid of `threads` threads.
    public static void download(KernelContext context, IntArray table, IntArray staging, IntArray from, int threads,
                                int mark) {
        int first = table.get(0);
        int count = table.get(1);
        if (context.globalIdx == 0) staging.set(mark, table.get(2));
        for (int i = context.globalIdx; i < count; i += threads) staging.set(i, from.get(first + i));
    }
}
