package dev.gale.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gale.kernels.emulator.KernelEmulator;
import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.TensorAssert;
import dev.gale.tensor.testing.Trial;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// The operands of one kernel, side by side in one array per dtype as on a device, and what ReferenceOps makes of them.
///
/// Results start as NaN, gaps between operands hold a pattern: reading or writing beside an operand shows.
final class KernelOperands {
    /// `ulp(1)` of F32: twice the rounding of one operation.
    static final double ULP = Math.ulp(1f);
    /// Where the offsets of the operands begin in the table.
    static final int SLOT = 3;
    private static final int GAP = 8;
    private static final float GAP_VALUE = 1.5e30f;             // exact in BF16: 0x7197
    private static final double BF16_ROUNDING = 0x1p-8;

    final FloatArray floats;
    final ShortArray halves;
    /// The same memory as `halves`, four at a time; operands lie at whole longs where the BF16 before them have whole longs.
    final LongArray longs;
    final IntArray ints;
    final IntArray table;
    private final List<Operand> operands;

    private enum Role { INPUT, INOUT, OUTPUT }

    /// One operand; `floats` or `ints` is what it holds before.
    record Operand(String name, DType dtype, float[] floats, int[] ints, Role role, int... dims) {
        int size() {
            return floats == null ? ints.length : floats.length;
        }

        /// The values that its dtype can hold.
        float[] stored() {
            float[] stored = floats.clone();
            if (dtype == DType.BF16) {
                for (int i = 0; i < stored.length; i++) stored[i] = Convert.fromBf16(Convert.toBf16(stored[i]));
            }
            return stored;
        }
    }

    static Operand input(String name, DType dtype, float[] values, int... dims) {
        return new Operand(name, dtype, values, null, Role.INPUT, dims);
    }

    static Operand inout(String name, DType dtype, float[] values, int... dims) {
        return new Operand(name, dtype, values, null, Role.INOUT, dims);
    }

    static Operand output(String name, DType dtype, int... dims) {
        float[] nans = new float[(int) Shape.of(dims).size()];
        Arrays.fill(nans, Float.NaN);
        return new Operand(name, dtype, nans, null, Role.OUTPUT, dims);
    }

    static Operand ints(String name, int... values) {
        return new Operand(name, DType.I32, null, values, Role.INPUT, values.length);
    }

    /// Scratch that the reference does not know.
    static Operand scratch(String name, int n) {
        return new Operand(name, DType.I32, null, new int[n], Role.OUTPUT, n);
    }

    KernelOperands(Operand... operands) {
        this.operands = List.of(operands);
        floats = new FloatArray(extent(DType.F32));
        halves = new ShortArray(Math.ceilDiv(extent(DType.BF16), 4) * 4);
        longs = LongArray.fromSegmentShallow(halves.getSegmentWithHeader());
        ints = new IntArray(extent(DType.I32));
        table = new IntArray(SLOT + operands.length);
        floats.init(GAP_VALUE);
        for (int i = 0; i < halves.getSize(); i++) halves.set(i, Convert.toBf16(GAP_VALUE));
        ints.init(Integer.MAX_VALUE);
        table.init(Integer.MAX_VALUE);
        for (Operand operand : operands) place(operand);
    }

    private int extent(DType dtype) {
        return GAP + operands.stream().filter(operand -> operand.dtype() == dtype).mapToInt(o -> o.size() + GAP).sum();
    }

    private void place(Operand operand) {
        int number = operands.indexOf(operand);
        int at = GAP;
        for (Operand before : operands.subList(0, number)) {
            if (before.dtype() == operand.dtype()) at += before.size() + GAP;
        }
        table.set(SLOT + number, at);
        if (operand.dtype() == DType.I32) {
            for (int i = 0; i < operand.size(); i++) ints.set(at + i, operand.ints()[i]);
        } else {
            float[] stored = operand.stored();
            for (int i = 0; i < stored.length; i++) Elements.set(floats, halves, type(number), at + i, stored[i]);
        }
    }

    /// `Elements.F32` or `Elements.BF16`.
    int type(int operand) {
        return operands.get(operand).dtype() == DType.BF16 ? Elements.BF16 : Elements.F32;
    }

    /// What an operand holds now.
    float[] values(String name) {
        int number = number(name);
        float[] values = new float[operands.get(number).size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = Elements.get(floats, halves, type(number), table.get(SLOT + number) + i);
        }
        return values;
    }

    private int number(String name) {
        for (int i = 0; i < operands.size(); i++) if (operands.get(i).name().equals(name)) return i;
        throw new IllegalArgumentException("no operand " + name);
    }

    /// Runs a kernel with work-groups of `Elements.GROUP` threads; checks that inputs and gaps stay as they were.
    KernelOperands run(int groups, Consumer<KernelContext> kernel) {
        return run(groups, 1, kernel);
    }

    KernelOperands run(int groups, int groupsY, Consumer<KernelContext> kernel) {
        return run(groups, groupsY, Elements.GROUP, kernel);
    }

    KernelOperands run(int groups, int groupsY, int threads, Consumer<KernelContext> kernel) {
        KernelEmulator.grid(groups * threads, groupsY, 1).group(threads).arrays(floats, halves, ints).run(kernel);
        for (Operand operand : operands) {
            int end = table.get(SLOT + number(operand.name())) + operand.size();
            for (int i = end; i < end + GAP; i++) {
                String place = "after " + operand.name();
                if (operand.dtype() == DType.F32) assertEquals(GAP_VALUE, floats.get(i), place);
                if (operand.dtype() == DType.BF16) assertEquals(halves.get(0), halves.get(i), place);
                if (operand.dtype() == DType.I32) assertEquals(Integer.MAX_VALUE, ints.get(i), place);
            }
            if (operand.role() == Role.INPUT && operand.floats() != null) {
                TensorAssert.assertEqual(operand.name() + " (an input)", operand.stored(), values(operand.name()));
            }
        }
        return this;
    }

    /// What the reference makes of the operands as they were at first; its results are F32.
    Map<String, float[]> reference(BiConsumer<TensorOps, Map<String, Tensor>> operation) {
        return reference(operation, UnaryOperator.identity());
    }

    /// The same of their magnitudes: sums of magnitudes, where the operation is a sum of products.
    Map<String, float[]> magnitudes(BiConsumer<TensorOps, Map<String, Tensor>> operation) {
        return reference(operation, values -> {
            for (int i = 0; i < values.length; i++) values[i] = Math.abs(values[i]);
            return values;
        });
    }

    private Map<String, float[]> reference(BiConsumer<TensorOps, Map<String, Tensor>> operation,
            UnaryOperator<float[]> change) {
        try (TensorOps ops = new ReferenceOps(Trial.CHUNK_BYTES)) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (Operand operand : operands) {
                DType dtype = operand.dtype() == DType.I32 ? DType.I32 : DType.F32;
                Tensor tensor = ops.allocate(operand.name(), dtype, Shape.of(operand.dims()));
                if (dtype == DType.I32) ops.write(tensor, operand.ints());
                else ops.write(tensor, change.apply(operand.stored()));
                tensors.put(operand.name(), tensor);
            }
            operation.accept(ops, tensors);
            Map<String, float[]> results = new LinkedHashMap<>();
            tensors.forEach((name, tensor) -> {
                if (tensor.dtype() == DType.F32) results.put(name, ops.toFloats(tensor));
            });
            return results;
        }
    }

    /// Compares a result with what is wanted, each element with its bound; BF16 may round once more.
    KernelOperands within(String name, float[] want, double[] bounds) {
        double[] widened = bounds.clone();
        if (operands.get(number(name)).dtype() == DType.BF16) {
            for (int i = 0; i < widened.length; i++) {
                widened[i] += Math.max(BF16_ROUNDING * (Math.abs((double) want[i]) + bounds[i]), 0x1p-134);
            }
        }
        TensorAssert.assertClose(name, want, values(name), widened);
        return this;
    }

    /// Bounds of `terms * ulp(1)` of a magnitude.
    static double[] times(double terms, float[] magnitudes) {
        double[] bounds = new double[magnitudes.length];
        for (int i = 0; i < bounds.length; i++) {
            bounds[i] = Math.max(terms * ULP * Math.abs((double) magnitudes[i]), Float.MIN_NORMAL);
        }
        return bounds;
    }
}
