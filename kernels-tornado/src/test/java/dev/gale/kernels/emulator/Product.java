package dev.gale.kernels.emulator;

/// One m16n8k16 product of a warp. With g = lane >> 2 and t = lane & 3, a lane holds of A the columns 2t, 2t + 1 of the
/// rows g and g + 8, then the same 8 columns further; of B the rows 2t, 2t + 1, then 8 further, of column g; of C and D
/// the columns 2t, 2t + 1 of row g, then of row g + 8.
final class Product {
    private static final int M = 16;
    private static final int N = 8;
    private static final int K = 16;

    private final float[] left = new float[M * K];
    private final float[] right = new float[N * K];
    private final float[][] addends = new float[Warp.LANES][];
    private final float[][] results = new float[Warp.LANES][];
    private boolean bf16;
    private int count;

    int count() {
        return count;
    }

    /// True when this lane was the last.
    boolean put(int lane, boolean ofBf16, int[] a, int[] b, float[] c, float[] d) {
        if (count == 0) bf16 = ofBf16;
        if (bf16 != ofBf16) throw new KernelFault("warp divergence: mma and mmaBF16 at the same time");
        if (c.length != d.length) throw new KernelFault("an accumulator of " + c.length + " elements");
        int g = lane >> 2;
        int t = lane & 3;
        for (int i = 0; i < 4; i++) pair(left, (g + (i & 1) * 8) * K + 2 * t + (i >> 1) * 8, a[i]);
        for (int i = 0; i < 2; i++) pair(right, g * K + 2 * t + i * 8, b[i]);
        addends[lane] = c;
        results[lane] = d;
        return ++count == Warp.LANES;
    }

    private void pair(float[] target, int at, int word) {
        target[at] = bf16 ? Float.intBitsToFloat(word << 16) : Float.float16ToFloat((short) word);
        target[at + 1] = bf16 ? Float.intBitsToFloat(word & 0xffff0000) : Float.float16ToFloat((short) (word >>> 16));
    }

    /// Sums in double and rounds once, which is within the error of any order in f32.
    void compute() {
        for (int lane = 0; lane < Warp.LANES; lane++) {
            for (int i = 0; i < 4; i++) {
                int row = ((lane >> 2) + (i < 2 ? 0 : 8)) * K;
                int column = (2 * (lane & 3) + (i & 1)) * K;
                double sum = addends[lane][i];
                for (int k = 0; k < K; k++) sum += (double) left[row + k] * right[column + k];
                results[lane][i] = (float) sum;
            }
        }
        count = 0;
    }
}
