package dev.gale.tensor.cpu;

import static dev.gale.tensor.cpu.Lanes.F;
import static dev.gale.tensor.cpu.Lanes.WIDTH;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/// Transposes blocks of 8 x 8 in registers: three rounds of interleaving row i with row i + 4.
final class Transpose {
    /// False where vectors do not have 8 lanes.
    static final boolean AVAILABLE = WIDTH == 8;
    private static final VectorShuffle<Float> FIRST = VectorShuffle.fromOp(F, lane -> lane / 2);
    private static final VectorShuffle<Float> SECOND = VectorShuffle.fromOp(F, lane -> WIDTH / 2 + lane / 2);
    private static final VectorMask<Float> ODD = VectorMask.fromLong(F, 0xAAAA_AAAA_AAAA_AAAAL);

    private Transpose() {}

    /// `to[k, j] = src[j, k]` for 8 rows j of src and depth, a multiple of 8, values of k; rows of `to` are a panel's.
    static void columns(float[] to, int at, float[] src, int from, int stride, int depth) {
        for (int k = 0; k < depth; k += 8) block(to, at + k * Tile.COLS, src, from + k, stride);
    }

    private static FloatVector low(FloatVector a, FloatVector b) {
        return a.rearrange(FIRST).blend(b.rearrange(FIRST), ODD);
    }

    private static FloatVector high(FloatVector a, FloatVector b) {
        return a.rearrange(SECOND).blend(b.rearrange(SECOND), ODD);
    }

    private static void block(float[] to, int at, float[] src, int from, int stride) {
        FloatVector a0 = Lanes.at(src, from), a1 = Lanes.at(src, from + stride);
        FloatVector a2 = Lanes.at(src, from + 2 * stride), a3 = Lanes.at(src, from + 3 * stride);
        FloatVector a4 = Lanes.at(src, from + 4 * stride), a5 = Lanes.at(src, from + 5 * stride);
        FloatVector a6 = Lanes.at(src, from + 6 * stride), a7 = Lanes.at(src, from + 7 * stride);
        FloatVector b0 = low(a0, a4), b1 = high(a0, a4), b2 = low(a1, a5), b3 = high(a1, a5);
        FloatVector b4 = low(a2, a6), b5 = high(a2, a6), b6 = low(a3, a7), b7 = high(a3, a7);
        a0 = low(b0, b4);
        a1 = high(b0, b4);
        a2 = low(b1, b5);
        a3 = high(b1, b5);
        a4 = low(b2, b6);
        a5 = high(b2, b6);
        a6 = low(b3, b7);
        a7 = high(b3, b7);
        low(a0, a4).intoArray(to, at);
        high(a0, a4).intoArray(to, at + Tile.COLS);
        low(a1, a5).intoArray(to, at + 2 * Tile.COLS);
        high(a1, a5).intoArray(to, at + 3 * Tile.COLS);
        low(a2, a6).intoArray(to, at + 4 * Tile.COLS);
        high(a2, a6).intoArray(to, at + 5 * Tile.COLS);
        low(a3, a7).intoArray(to, at + 6 * Tile.COLS);
        high(a3, a7).intoArray(to, at + 7 * Tile.COLS);
    }
}
