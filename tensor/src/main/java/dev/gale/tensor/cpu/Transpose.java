package dev.gale.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// Transposes blocks of 8 x 8 in registers: three rounds of interleaving row i with row i + 4. Vectors of 8 lanes serve
/// machines with wider ones, too.
final class Transpose {
    /// Rows and columns of a block.
    static final int BLOCK = 8;
    /// False where vectors have fewer lanes than a block.
    static final boolean AVAILABLE = Lanes.WIDTH >= BLOCK;
    private static final VectorSpecies<Float> F = FloatVector.SPECIES_256;
    private static final VectorShuffle<Float> FIRST = VectorShuffle.fromOp(F, lane -> lane / 2);
    private static final VectorShuffle<Float> SECOND = VectorShuffle.fromOp(F, lane -> BLOCK / 2 + lane / 2);
    private static final VectorMask<Float> ODD = VectorMask.fromLong(F, 0xAA);

    private Transpose() {}

    /// `to[k, j] = src[j, k]` for 8 rows j of src and depth, a multiple of 8, values of k; rows of `to` are a panel's.
    static void columns(float[] to, int at, float[] src, int from, int stride, int depth) {
        for (int k = 0; k < depth; k += BLOCK) block(to, at + k * Tile.COLS, src, from + k, stride);
    }

    private static FloatVector at(float[] values, int i) {
        return FloatVector.fromArray(F, values, i);
    }

    private static FloatVector low(FloatVector a, FloatVector b) {
        return a.rearrange(FIRST).blend(b.rearrange(FIRST), ODD);
    }

    private static FloatVector high(FloatVector a, FloatVector b) {
        return a.rearrange(SECOND).blend(b.rearrange(SECOND), ODD);
    }

    private static void block(float[] to, int at, float[] src, int from, int stride) {
        FloatVector a0 = at(src, from), a1 = at(src, from + stride);
        FloatVector a2 = at(src, from + 2 * stride), a3 = at(src, from + 3 * stride);
        FloatVector a4 = at(src, from + 4 * stride), a5 = at(src, from + 5 * stride);
        FloatVector a6 = at(src, from + 6 * stride), a7 = at(src, from + 7 * stride);
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
