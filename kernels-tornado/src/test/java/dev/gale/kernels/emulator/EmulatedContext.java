package dev.gale.kernels.emulator;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.HalfFloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// The context of one emulated thread, with the meaning that the CUDA backend gives to each member.
final class EmulatedContext extends KernelContext {
    private static final int TILE_K = 16;
    private final Strand strand;

    EmulatedContext(Strand strand) {
        this.strand = strand;
    }

    private Warp warp() {
        if (strand.warp == null) {
            throw new KernelFault("an operation of a whole warp in a group of " + strand.group.shape
                    + ", whose x is no multiple of " + Warp.LANES);
        }
        return strand.warp;
    }

    private Object local(Class<?> element, int size) {
        return strand.group.local.get(strand.localArrays++, element, size);
    }

    @Override
    public void localBarrier() {
        strand.group.barrier(strand, "localBarrier");
    }

    @Override
    public void globalBarrier() {
        strand.group.barrier(strand, "globalBarrier");
    }

    @Override
    public int[] allocateIntLocalArray(int size) {
        return (int[]) local(int.class, size);
    }

    @Override
    public long[] allocateLongLocalArray(int size) {
        return (long[]) local(long.class, size);
    }

    @Override
    public float[] allocateFloatLocalArray(int size) {
        return (float[]) local(float.class, size);
    }

    @Override
    public double[] allocateDoubleLocalArray(int size) {
        return (double[]) local(double.class, size);
    }

    @Override
    public byte[] allocateByteLocalArray(int size) {
        return (byte[]) local(byte.class, size);
    }

    @Override
    public HalfFloat[] allocateHalfFloatLocalArray(int size) {
        return (HalfFloat[]) local(HalfFloat.class, size);
    }

    @Override
    public float simdSum(float value) {
        return warp().exchange(strand, "simdSum", value, 0);
    }

    @Override
    public float simdShuffleDown(float value, int delta) {
        return warp().exchange(strand, "simdShuffleDown", value, delta);
    }

    @Override
    public float simdBroadcastFirst(float value) {
        return warp().exchange(strand, "simdBroadcastFirst", value, 0);
    }

    @Override
    public void atomicAdd(IntArray array, int index, int value) {
        array.set(index, array.get(index) + value);
    }

    @Override
    public void atomicAdd(int[] array, int index, int value) {
        array[index] += value;
    }

    @Override
    public void atomicAdd(LongArray array, int index, long value) {
        array.set(index, array.get(index) + value);
    }

    @Override
    public void atomicAdd(FloatArray array, int index, float value) {
        array.set(index, array.get(index) + value);
    }

    @Override
    public float[] mmaFragment(float value) {
        return new float[] {value, value, value, value};
    }

    @Override
    public HalfFloat[] mmaLoadA(int[] tile, int k) {
        return mmaLoadA(tile, k, 0);
    }

    @Override
    public HalfFloat[] mmaLoadA(int[] tile, int k, int byteOffset) {
        checkK(k);
        return warp().loadA(strand, tile, byteOffset);
    }

    @Override
    public HalfFloat[] mmaLoadB(int[] tile, int k) {
        return mmaLoadB(tile, k, 0);
    }

    @Override
    public HalfFloat[] mmaLoadB(int[] tile, int k, int byteOffset) {
        checkK(k);
        return warp().loadB(strand, tile, byteOffset);
    }

    @Override
    public float[] mma(HalfFloat[] a, HalfFloat[] b, float[] c, MMAShape shape) {
        checkShape(shape);
        return warp().multiply(strand, false, a, b, c);
    }

    @Override
    public float[] mmaBF16(HalfFloat[] a, HalfFloat[] b, float[] c, MMAShape shape) {
        checkShape(shape);
        return warp().multiply(strand, true, a, b, c);
    }

    @Override
    public void mmaStore(float[] fragment, FloatArray target, int row, int col, int ld) {
        warp().awaitProducts(strand);
        int lane = strand.lane();
        for (int i = 0; i < fragment.length; i++) {
            int r = row + (lane >> 2) + (i < 2 ? 0 : 8);
            target.set(r * ld + col + ((lane & 3) << 1) + (i & 1), fragment[i]);
        }
    }

    @Override
    public void asyncCopyToLocal(int[] tile, int index, HalfFloatArray array, int source) {
        int low = array.get(source).getHalfFloatValue() & 0xffff;
        strand.startCopy(tile, index, low | array.get(source + 1).getHalfFloatValue() << 16);
    }

    @Override
    public void asyncCopyToLocal(int[] tile, int index, ByteArray array, int source) {
        int packed = 0;
        for (int i = 0; i < 4; i++) packed |= (array.get(source + i) & 0xff) << 8 * i;
        strand.startCopy(tile, index, packed);
    }

    @Override
    public void asyncCopyCommit() {
        strand.commitCopies();
    }

    @Override
    public void asyncCopyWaitGroup(int groups) {
        strand.awaitCopies(groups);
    }

    private static void checkK(int k) {
        if (k != TILE_K) throw new KernelFault("tiles are " + TILE_K + " deep, not " + k);
    }

    private static void checkShape(MMAShape shape) {
        if (shape != MMAShape.M16N8K16) throw new KernelFault("16-bit operands need M16N8K16, not " + shape);
    }
}
