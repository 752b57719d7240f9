package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Gated linear units, forward and backward. Launch: as `ElementwiseKernels`.
public final class GluKernels {
    private GluKernels() {}

    /// `y = act(gate) * up`. Shapes: all `[n]`, F32, BF16 or F16; activation a constant of `Gates`.
    /// Numerics: F32, one rounding. Writes: `=`; y may be gate or up.
    public static void gluForward(KernelContext context, IntArray table, int slot,
            FloatArray y, ShortArray yHalf, int yType,
            FloatArray gate, ShortArray gateHalf, int gateType,
            FloatArray up, ShortArray upHalf, int upType, int n, int activation) {
        int yAt = table.get(slot);
        int gateAt = table.get(slot + 1);
        int upAt = table.get(slot + 2);
        int first = context.groupIdx * Elements.BLOCK + context.localIdx;
        float[] gates = new float[Elements.EACH];
        float[] ups = new float[Elements.EACH];
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            if (i < n) {
                gates[e] = Elements.get(gate, gateHalf, gateType, gateAt + i);
                ups[e] = Elements.get(up, upHalf, upType, upAt + i);
            }
        }
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            if (i < n) Elements.set(y, yHalf, yType, yAt + i, Gates.value(activation, gates[e]) * ups[e]);
        }
    }

    /// As `gluForward`, for BF16 alone, on devices that convert BF16. Shapes: all `[n]`, n a multiple of 4.
    /// Launch: `ceil(n / Elements.BLOCK_OF_FOURS)` work-groups of `Elements.GROUP` threads, each thread `Elements.EACH` times
    /// four elements. Numerics, Writes: as `gluForward`.
    public static void gluForwardBf16(KernelContext context, IntArray table, int slot, LongArray y, LongArray gate,
            LongArray up, int n, int activation) {
        long[] gates = new long[Elements.EACH];
        long[] ups = new long[Elements.EACH];
        int zero = Halves.zero(context.localIdx);
        int yAt = table.get(slot) >> 2;
        int gateAt = table.get(slot + 1) >> 2;
        int upAt = table.get(slot + 2) >> 2;
        int first = context.groupIdx * Elements.BLOCK + context.localIdx;
        for (int e = 0; e < Elements.EACH; e++) {
            int i = Math.min(first + e * Elements.GROUP, n / 4 - 1);
            gates[e] = gate.get(gateAt + i);
            ups[e] = up.get(upAt + i);
        }
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            float y0 = Gates.value(activation, Halves.first(gates[e])) * Halves.first(ups[e]);
            float y1 = Gates.value(activation, Halves.second(gates[e])) * Halves.second(ups[e]);
            float y2 = Gates.value(activation, Halves.third(gates[e])) * Halves.third(ups[e]);
            float y3 = Gates.value(activation, Halves.fourth(gates[e])) * Halves.fourth(ups[e]);
            if (i < n / 4) y.set(yAt + i, Halves.four(y0, y1, y2, y3, zero));
        }
    }

    /// `dGate = dy * up * act'(gate)`, `dUp = dy * act(gate)`.
    /// Shapes: all `[n]`, F32, BF16 or F16; activation a constant of `Gates`.
    /// Numerics: F32, one rounding. Writes: `=`; dGate may be gate, and dUp may be up or dy.
    public static void gluBackward(KernelContext context, IntArray table, int slot,
            FloatArray dGate, ShortArray dGateHalf, int dGateType,
            FloatArray dUp, ShortArray dUpHalf, int dUpType,
            FloatArray dy, ShortArray dyHalf, int dyType,
            FloatArray gate, ShortArray gateHalf, int gateType,
            FloatArray up, ShortArray upHalf, int upType, int n, int activation) {
        int dGateAt = table.get(slot);
        int dUpAt = table.get(slot + 1);
        int dyAt = table.get(slot + 2);
        int gateAt = table.get(slot + 3);
        int upAt = table.get(slot + 4);
        int first = context.groupIdx * Elements.BLOCK + context.localIdx;
        float[] upstream = new float[Elements.EACH];
        float[] gates = new float[Elements.EACH];
        float[] ups = new float[Elements.EACH];
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            if (i < n) {
                upstream[e] = Elements.get(dy, dyHalf, dyType, dyAt + i);
                gates[e] = Elements.get(gate, gateHalf, gateType, gateAt + i);
                ups[e] = Elements.get(up, upHalf, upType, upAt + i);
            }
        }
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            if (i < n) {
                float gateSlope = Gates.slope(activation, gates[e]);
                Elements.set(dGate, dGateHalf, dGateType, dGateAt + i, upstream[e] * ups[e] * gateSlope);
                Elements.set(dUp, dUpHalf, dUpType, dUpAt + i, upstream[e] * Gates.value(activation, gates[e]));
            }
        }
    }

    /// As `gluBackward`, for BF16 alone, on devices that convert BF16. Shapes: all `[n]`, n a multiple of 4.
    /// Launch: as `gluForwardBf16`. Numerics, Writes: as `gluBackward`.
    public static void gluBackwardBf16(KernelContext context, IntArray table, int slot, LongArray dGate, LongArray dUp,
            LongArray dy, LongArray gate, LongArray up, int n, int activation) {
        long[] upstream = new long[Elements.EACH];
        long[] gates = new long[Elements.EACH];
        long[] ups = new long[Elements.EACH];
        int zero = Halves.zero(context.localIdx);
        int dGateAt = table.get(slot) >> 2;
        int dUpAt = table.get(slot + 1) >> 2;
        int dyAt = table.get(slot + 2) >> 2;
        int gateAt = table.get(slot + 3) >> 2;
        int upAt = table.get(slot + 4) >> 2;
        int first = context.groupIdx * Elements.BLOCK + context.localIdx;
        for (int e = 0; e < Elements.EACH; e++) {
            int i = Math.min(first + e * Elements.GROUP, n / 4 - 1);
            upstream[e] = dy.get(dyAt + i);
            gates[e] = gate.get(gateAt + i);
            ups[e] = up.get(upAt + i);
        }
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            float g0 = Halves.first(gates[e]), g1 = Halves.second(gates[e]);
            float g2 = Halves.third(gates[e]), g3 = Halves.fourth(gates[e]);
            float d0 = Halves.first(upstream[e]), d1 = Halves.second(upstream[e]);
            float d2 = Halves.third(upstream[e]), d3 = Halves.fourth(upstream[e]);
            long gateGradients = Halves.four(d0 * Halves.first(ups[e]) * Gates.slope(activation, g0),
                    d1 * Halves.second(ups[e]) * Gates.slope(activation, g1),
                    d2 * Halves.third(ups[e]) * Gates.slope(activation, g2),
                    d3 * Halves.fourth(ups[e]) * Gates.slope(activation, g3), zero);
            long upGradients = Halves.four(d0 * Gates.value(activation, g0), d1 * Gates.value(activation, g1),
                    d2 * Gates.value(activation, g2), d3 * Gates.value(activation, g3), zero);
            if (i < n / 4) {
                dGate.set(dGateAt + i, gateGradients);
                dUp.set(dUpAt + i, upGradients);
            }
        }
    }
}
