package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Gated linear units, forward and backward. Launch: as `ElementwiseKernels`.
public final class GluKernels {
    private GluKernels() {}

    /// `y = act(gate) * up`. Shapes: all `[n]`, F32 or BF16; activation a constant of `Gates`.
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

    /// `dGate = dy * up * act'(gate)`, `dUp = dy * act(gate)`.
    /// Shapes: all `[n]`, F32 or BF16; activation a constant of `Gates`.
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
}
