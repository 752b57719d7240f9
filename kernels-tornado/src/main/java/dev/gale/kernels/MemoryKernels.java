package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// Moving words between the host's staging arrays and the device's chunks.
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

    /// `staging[i] = from[table[0] + i]` for i < table[1]. Launch: any grid of `threads` threads.
    public static void download(KernelContext context, IntArray table, IntArray staging, IntArray from, int threads) {
        int first = table.get(0);
        int count = table.get(1);
        for (int i = context.globalIdx; i < count; i += threads) staging.set(i, from.get(first + i));
    }
}
