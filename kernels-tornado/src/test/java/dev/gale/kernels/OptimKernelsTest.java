package dev.gale.kernels;

import static dev.gale.kernels.KernelOperands.SLOT;
import static dev.gale.kernels.KernelOperands.ULP;
import static dev.gale.kernels.KernelOperands.inout;
import static dev.gale.kernels.KernelOperands.input;
import static dev.gale.kernels.KernelOperands.output;
import static dev.gale.kernels.KernelOperands.times;
import static dev.gale.tensor.testing.Fixtures.normal;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.Map;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// `OptimKernels` against ReferenceOps.
class OptimKernelsTest {
    private static KernelOperands squares(DType dtype, float[] values) {
        int n = values.length;
        int groups = OptimKernels.squareGroups(n);
        KernelOperands o = new KernelOperands(output("partial", DType.F32, groups), input("x", dtype, values, n),
                inout("sum", DType.F32, new float[] {0.5f}, 1));
        FloatArray f = o.floats;
        IntArray t = o.table;
        o.run(groups, ctx ->
                OptimKernels.partialSquares(ctx, t, SLOT, f, f, o.halves, o.type(1), n, groups));
        IntArray slots = IntArray.fromElements(t.get(SLOT + 2), t.get(SLOT));
        return o.run(1, ctx -> OptimKernels.addPartials(ctx, slots, 0, f, f, groups));
    }

    @ParameterizedTest
    @CsvSource({"0,F32", "1,F32", "7,BF16", "300,F32", "4097,BF16", "40001,F32"})
    void sumOfSquaresAccumulates(int n, DType dtype) {
        KernelOperands o = squares(dtype, uniform(n, 1));
        float[] want = o.reference((ops, at) -> ops.sumSquares(at.get("sum"), at.get("x"))).get("sum");
        o.within("sum", want, times(n + 2, want));
    }

    @Test
    void sumOfSquaresCarriesNaNAndTakesManyGroups() {
        float[] values = uniform(5000, 1);
        values[4999] = Float.NaN;
        assertEquals(Float.NaN, squares(DType.F32, values).values("sum")[0]);
        assertEquals(1024, OptimKernels.squareGroups(Integer.MAX_VALUE));
    }

    /// More partial sums than the work-group that adds them has threads.
    @Test
    void partialsAreAddedAll() {
        int groups = 1000;
        KernelOperands o = new KernelOperands(inout("sum", DType.F32, new float[] {1}, 1),
                input("partial", DType.F32, uniform(groups, 1), groups));
        o.run(1, ctx -> OptimKernels.addPartials(ctx, o.table, SLOT, o.floats, o.floats, groups));
        double want = 1;
        double magnitude = 1;
        for (float value : o.values("partial")) {
            want += value;
            magnitude += Math.abs(value);
        }
        o.within("sum", new float[] {(float) want}, times(groups + 1, new float[] {(float) magnitude}));
    }

    @ParameterizedTest
    @CsvSource({"4,2,1", "400,2,1", "400,2,0", "400,2,-1", "0,3,1", "1e30,1000,0.5", "NaN,2,1", "4,0,1"})
    void clipFactorMatches(float sumSquares, float tokens, float maxNorm) {
        KernelOperands o = new KernelOperands(output("out", DType.F32, 2),
                input("sum", DType.F32, new float[] {sumSquares}, 1),
                input("tokens", DType.F32, new float[] {tokens}, 1));
        FloatArray f = o.floats;
        o.run(1, ctx -> OptimKernels.clipFactor(ctx, o.table, SLOT, f, f, f, maxNorm));
        float[] want = o.reference((ops, at) ->
                ops.clipFactor(at.get("out"), at.get("sum"), at.get("tokens"), maxNorm)).get("out");
        o.within("out", want, times(8, want));
    }

    @ParameterizedTest
    @CsvSource({"1,0.1", "7,0", "1000,0.1", "4097,0"})
    void adamWMatches(int n, float weightDecay) {
        float[] v = uniform(n, 4);
        for (int i = 0; i < n; i++) v[i] = v[i] * v[i] * 1e-3f;
        float[] hyper = {1e-3f, 0.9f, 0.999f, 1e-8f, weightDecay, 1 - (float) Math.pow(0.9, 3),
                1 - (float) Math.pow(0.999, 3)};
        KernelOperands o = new KernelOperands(inout("param", DType.F32, uniform(n, 1), n),
                input("grad", DType.F32, uniform(n, 2), n), inout("m", DType.F32, normal(n, 0.01, 3), n),
                inout("v", DType.F32, v, n), input("hyper", DType.F32, hyper, 7),
                input("factor", DType.F32, new float[] {0.05f, 7f}, 2));
        FloatArray f = o.floats;
        o.run(Math.ceilDiv(n, Elements.GROUP), ctx ->
                OptimKernels.adamW(ctx, o.table, SLOT, f, f, f, f, f, f, n));
        BiConsumer<TensorOps, Map<String, Tensor>> adamW = (ops, at) -> ops.adamW(at.get("param"), at.get("grad"),
                at.get("m"), at.get("v"), at.get("hyper"), at.get("factor"));
        Map<String, float[]> want = o.reference(adamW);
        float[] magnitudeOfM = o.magnitudes(adamW).get("m");
        double[] bounds = new double[n];
        for (int i = 0; i < n; i++) {
            double step = 1e-3 / 0.271 * magnitudeOfM[i] / (Math.sqrt(want.get("v")[i] / 0.002997) + 1e-8);
            bounds[i] = 3 * ULP * (Math.abs(want.get("param")[i]) + step) + 16 * ULP * step;
        }
        o.within("m", want.get("m"), times(4, magnitudeOfM)).within("v", want.get("v"), times(5, want.get("v")))
                .within("param", want.get("param"), bounds);
    }

    /// The bounds are those of the contract, which runs these kernels in one order of threads only.
    @ParameterizedTest
    @CsvSource({"1,0.1", "300,0", "1000,0.1"})
    void lionMatches(int n, float weightDecay) {
        KernelOperands o = new KernelOperands(inout("param", DType.F32, uniform(n, 1), n),
                input("grad", DType.F32, uniform(n, 2), n), inout("m", DType.F32, normal(n, 0.01, 3), n),
                input("hyper", DType.F32, new float[] {1e-3f, 0.9f, 0.99f, weightDecay}, 4),
                input("factor", DType.F32, new float[] {0.05f, 7f}, 2));
        FloatArray f = o.floats;
        o.run(Math.ceilDiv(n, Elements.GROUP), ctx -> OptimKernels.lion(ctx, o.table, SLOT, f, f, f, f, f, n));
        BiConsumer<TensorOps, Map<String, Tensor>> lion = (ops, at) ->
                ops.lion(at.get("param"), at.get("grad"), at.get("m"), at.get("hyper"), at.get("factor"));
        Map<String, float[]> want = o.reference(lion);
        double[] bounds = times(3, want.get("param"));
        for (int i = 0; i < n; i++) bounds[i] += 3 * ULP * 1e-3;
        o.within("m", want.get("m"), times(4, o.magnitudes(lion).get("m"))).within("param", want.get("param"), bounds);
    }

    @ParameterizedTest
    @CsvSource({"1,1", "300,0", "1000,1"})
    void sgdMatches(int n, int momentum) {
        KernelOperands o = new KernelOperands(inout("param", DType.F32, uniform(n, 1), n),
                input("grad", DType.F32, uniform(n, 2), n), inout("m", DType.F32, normal(n, 0.01, 3), n),
                input("hyper", DType.F32, new float[] {1e-2f, 0.9f, 0.1f}, 3),
                input("factor", DType.F32, new float[] {0.5f}, 1));
        FloatArray f = o.floats;
        o.run(Math.ceilDiv(n, Elements.GROUP), ctx -> OptimKernels.sgd(ctx, o.table, SLOT, f, f, f, f, f, momentum, n));
        Map<String, float[]> want = o.reference((ops, at) -> ops.sgd(at.get("param"), at.get("grad"),
                momentum == 1 ? at.get("m") : null, at.get("hyper"), at.get("factor")));
        double[] bounds = new double[n];                           // all magnitudes are below 1
        java.util.Arrays.fill(bounds, 4 * ULP);
        o.within("m", want.get("m"), bounds).within("param", want.get("param"), bounds);
    }

    @ParameterizedTest
    @CsvSource({"1,0.1", "300,0", "1000,0.1"})
    void scheduleFreeAdamWMatches(int n, float weightDecay) {
        float[] v = uniform(n, 4);
        for (int i = 0; i < n; i++) v[i] = v[i] * v[i] * 1e-3f;
        float[] hyper = {1e-3f, 0.9f, 0.999f, 1e-8f, weightDecay, 0.3f, 1 - (float) Math.pow(0.999, 3)};
        KernelOperands o = new KernelOperands(inout("y", DType.F32, uniform(n, 1), n),
                input("grad", DType.F32, uniform(n, 2), n), inout("z", DType.F32, uniform(n, 3), n),
                inout("v", DType.F32, v, n), input("hyper", DType.F32, hyper, 7),
                input("factor", DType.F32, new float[] {0.05f}, 1));
        FloatArray f = o.floats;
        o.run(Math.ceilDiv(n, Elements.GROUP), ctx -> OptimKernels.scheduleFreeAdamW(ctx, o.table, SLOT, f, f, f, f, f, f, n));
        Map<String, float[]> want = o.reference((ops, at) -> ops.scheduleFreeAdamW(at.get("y"), at.get("grad"), at.get("z"),
                at.get("v"), at.get("hyper"), at.get("factor")));
        double[] bounds = new double[n];
        float[] grad = uniform(n, 2);
        for (int i = 0; i < n; i++) {
            double change = 1e-3 * (0.05 * Math.abs(grad[i]) / Math.sqrt(want.get("v")[i] / 0.002997) + weightDecay);
            bounds[i] = 6 * ULP + 14 * ULP * change;
        }
        o.within("v", want.get("v"), times(5, want.get("v"))).within("z", want.get("z"), bounds)
                .within("y", want.get("y"), bounds);
    }

    @Test
    void squareGroupsDependOnTheNumberOfElementsAlone() {
        assertEquals(1, OptimKernels.squareGroups(0));
        assertEquals(2, OptimKernels.squareGroups(4097));
        assertEquals(256, OptimKernels.squareGroups(1 << 20));
    }
}
