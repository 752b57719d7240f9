package uk.ac.manchester.tornado.api;

import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.HalfFloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// What a kernel sees of its place in the grid. On a device the compiler replaces every member. Here they mean what
/// they mean in a grid of one thread; the operations of a whole warp that have no such meaning throw, and an emulator
/// overrides all of them.
public class KernelContext {
    public final Integer globalIdx = 0;
    public final Integer globalIdy = 0;
    public final Integer globalIdz = 0;
    public final Integer groupIdx = 0;
    public final Integer groupIdy = 0;
    public final Integer groupIdz = 0;
    public final Integer localIdx = 0;
    public final Integer localIdy = 0;
    public final Integer localIdz = 0;
    public final Integer globalGroupSizeX = 0;
    public final Integer globalGroupSizeY = 0;
    public final Integer globalGroupSizeZ = 0;
    public final Integer localGroupSizeX = 0;
    public final Integer localGroupSizeY = 0;
    public final Integer localGroupSizeZ = 0;

    public KernelContext() {}

    /// All threads of the group arrive before any goes on; orders their local and global memory on CUDA.
    public void localBarrier() {}

    /// As `localBarrier` on CUDA: a barrier of the group, not of the grid.
    public void globalBarrier() {}

    /// Local memory of the group; the size must be a constant.
    public int[] allocateIntLocalArray(int size) {
        return new int[size];
    }

    public long[] allocateLongLocalArray(int size) {
        return new long[size];
    }

    public float[] allocateFloatLocalArray(int size) {
        return new float[size];
    }

    public double[] allocateDoubleLocalArray(int size) {
        return new double[size];
    }

    public byte[] allocateByteLocalArray(int size) {
        return new byte[size];
    }

    public HalfFloat[] allocateHalfFloatLocalArray(int size) {
        return new HalfFloat[size];
    }

    /// The sum over the 32 lanes, in every lane.
    public float simdSum(float value) {
        return value;
    }

    /// The value of the lane `delta` further; lanes without one keep their own.
    public float simdShuffleDown(float value, int delta) {
        return value;
    }

    /// The value of lane 0.
    public float simdBroadcastFirst(float value) {
        return value;
    }

    public void atomicAdd(IntArray array, int index, int value) {
        array.set(index, array.get(index) + value);
    }

    public void atomicAdd(int[] array, int index, int value) {
        array[index] += value;
    }

    public void atomicAdd(LongArray array, int index, long value) {
        array.set(index, array.get(index) + value);
    }

    public void atomicAdd(FloatArray array, int index, float value) {
        array.set(index, array.get(index) + value);
    }

    /// A 16x8 accumulator, four elements a lane, all set to `value`.
    public float[] mmaFragment(float value) {
        return new float[] {value, value, value, value};
    }

    /// The A operand of a 16x16 tile in local memory, rows of 32 bytes (ldmatrix.x4).
    public HalfFloat[] mmaLoadA(int[] tile, int k) {
        throw needsWarp("mmaLoadA");
    }

    /// As above, from a byte offset that may differ from lane to lane.
    public HalfFloat[] mmaLoadA(int[] tile, int k, int byteOffset) {
        throw needsWarp("mmaLoadA");
    }

    /// The B operand of a 16x8 tile in local memory: two blocks of eight rows of 16 bytes (ldmatrix.x2.trans).
    public HalfFloat[] mmaLoadB(int[] tile, int k) {
        throw needsWarp("mmaLoadB");
    }

    public HalfFloat[] mmaLoadB(int[] tile, int k, int byteOffset) {
        throw needsWarp("mmaLoadB");
    }

    /// `A * B + C` of halves, summed in f32.
    public float[] mma(HalfFloat[] a, HalfFloat[] b, float[] c, MMAShape shape) {
        throw needsWarp("mma");
    }

    /// `A * B + C` of bfloat16 numbers, summed in f32.
    public float[] mmaBF16(HalfFloat[] a, HalfFloat[] b, float[] c, MMAShape shape) {
        throw needsWarp("mmaBF16");
    }

    /// Writes a fragment to rows `row` to `row + 15` and columns `col` to `col + 7` of a matrix `ld` wide.
    public void mmaStore(float[] fragment, FloatArray target, int row, int col, int ld) {
        throw needsWarp("mmaStore");
    }

    /// Starts to copy the halves `source` and `source + 1` to one int of local memory.
    public void asyncCopyToLocal(int[] tile, int index, HalfFloatArray array, int source) {
        int low = array.get(source).getHalfFloatValue() & 0xffff;
        tile[index] = low | array.get(source + 1).getHalfFloatValue() << 16;
    }

    /// Starts to copy four bytes to one int of local memory.
    public void asyncCopyToLocal(int[] tile, int index, ByteArray array, int source) {
        int packed = 0;
        for (int i = 0; i < 4; i++) packed |= (array.get(source + i) & 0xff) << 8 * i;
        tile[index] = packed;
    }

    /// Closes the group of copies started since the last commit.
    public void asyncCopyCommit() {}

    /// Waits until at most `groups` of this thread's groups of copies are unfinished.
    public void asyncCopyWaitGroup(int groups) {}

    private static UnsupportedOperationException needsWarp(String operation) {
        return new UnsupportedOperationException(
                operation + " is an operation of a whole warp: it runs on a device or in an emulator");
    }
}
