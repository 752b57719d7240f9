package dev.gale.kernels;

import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Reading and writing elements of a tensor that is F32, BF16 or F16. Kernels get a view of 4-byte and one of 2-byte elements
/// and a constant, so the choice is made when the kernel is compiled. 16-bit elements come as shorts, because only the CUDA
/// backend knows an array of BF16.
public final class Elements {
    public static final int F32 = 0;
    public static final int BF16 = 1;
    public static final int F16 = 2;

    /// Threads of a work-group of every kernel that names no other number.
    public static final int GROUP = 256;

    /// Elements of one thread of an elementwise kernel: all are read before the first is written, because a thread
    /// with a single access on its way leaves half of the device's bandwidth unused.
    public static final int EACH = 4;

    /// Elements of one work-group of an elementwise kernel.
    public static final int BLOCK = GROUP * EACH;

    /// The same of a kernel whose threads take four elements at a time.
    public static final int BLOCK_OF_FOURS = 4 * BLOCK;

    private Elements() {}

    /// An element.
    public static float get(FloatArray floats, ShortArray halves, int type, int i) {
        float value;
        if (type == F32) value = floats.get(i);
        else if (type == BF16) value = Halves.fromBf16(halves.get(i));
        else value = Halves.fromF16(halves.get(i));
        return value;
    }

    /// Writes an element.
    public static void set(FloatArray floats, ShortArray halves, int type, int i, float value) {
        if (type == F32) floats.set(i, value);
        else if (type == BF16) halves.set(i, Halves.toBf16(value));
        else halves.set(i, (short) Halves.toF16(value));
    }
}
