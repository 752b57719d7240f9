package dev.gale.tensor.autograd;

import static dev.gale.tensor.testing.Fixtures.normal;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.Columns;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.RouteSpec;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.GradCheck;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Every operation of `F` against finite differences. Inputs are rows of trainable tables, looked up in order.
class GradientsTest {
    private final TensorOps ops = new ReferenceOps();
    private int seed;

    @AfterEach
    void close() {
        ops.close();
    }

    private Parameter trainable(String name, int... dims) {
        Tensor value = ops.allocate(name, DType.F32, Shape.of(dims));
        ops.write(value, normal((int) value.size(), 0.6, ++seed));
        return new Parameter(name, value, true);
    }

    private Tensor f32(float[] values, int... dims) {
        Tensor tensor = ops.allocate("constant", DType.F32, Shape.of(dims));
        ops.write(tensor, values);
        return tensor;
    }

    private Tensor ints(int... values) {
        Tensor tensor = ops.allocate("ints", DType.I32, Shape.of(values.length));
        ops.write(tensor, values);
        return tensor;
    }

    /// All rows of a parameter as an activation.
    private Tensor rows(Tape tape, Parameter table) {
        int[] ids = new int[table.value().rows()];
        for (int i = 0; i < ids.length; i++) ids[i] = i;
        return F.embedding(tape, table, ints(ids));
    }

    @Test
    void embeddingAddsUpRepeatedRows() {
        Parameter table = trainable("table", 4, 3);
        Tensor ids = ints(2, 0, 2, 2, 3);
        GradCheck.ofOutput(ops, List.of(table), tape -> F.embedding(tape, table, ids));
    }

    @Test
    void embeddingWithAdapter() {
        Parameter table = trainable("table", 4, 3);
        Parameter a = trainable("a", 4, 2);
        Parameter b = trainable("b", 3, 2);
        Tensor ids = ints(2, 0, 2, 2, 3);
        EmbeddingAdapter adapter = new EmbeddingAdapter(a, b, 1.25f);
        GradCheck.ofOutput(ops, List.of(table, a, b), tape -> F.embedding(tape, table, ids, adapter));
        for (Parameter only : List.of(a, b)) {
            List.of(table, a, b).forEach(p -> p.setTrainable(p == only));
            GradCheck.ofOutput(ops, List.of(only), tape -> F.embedding(tape, table, ids, adapter));
        }
    }

    @Test
    void rmsNorm() {
        Parameter x = trainable("x", 3, 7);
        Parameter w = trainable("w", 7);
        GradCheck.ofOutput(ops, List.of(x, w), tape -> F.rmsNorm(tape, rows(tape, x), w, 0.1f));
        w.setTrainable(false);
        GradCheck.ofOutput(ops, List.of(x), tape -> F.rmsNorm(tape, rows(tape, x), w, 0.1f));
    }

    @Test
    void rmsNormOfASharedInputAddsToItsGradient() {
        Parameter x = trainable("x", 3, 7);
        Parameter w = trainable("w", 7);
        GradCheck.ofOutput(ops, List.of(x, w), tape -> {
            Tensor shared = rows(tape, x);
            return F.add(tape, F.rmsNorm(tape, shared, w, 0.1f), F.rmsNorm(tape, shared, w, 0.2f));
        });
    }

    @Test
    void rmsNormOfPartsOfRowsWithAShift() {
        Parameter x = trainable("x", 3, 8);
        Parameter w = trainable("w", 4);
        GradCheck.ofOutput(ops, List.of(x, w), tape -> F.rmsNorm(tape, rows(tape, x), w, 0.1f, 1f));
    }

    @Test
    void layerNorm() {
        Parameter x = trainable("x", 3, 7);
        Parameter w = trainable("w", 7);
        Parameter bias = trainable("bias", 7);
        GradCheck.ofOutput(ops, List.of(x, w, bias), tape -> {
            Tensor shared = rows(tape, x);
            return F.add(tape, F.layerNorm(tape, shared, w, bias, 0.1f), F.layerNorm(tape, shared, w, bias, 0.2f));
        });
        w.setTrainable(false);
        bias.setTrainable(false);
        GradCheck.ofOutput(ops, List.of(x), tape -> F.layerNorm(tape, rows(tape, x), w, bias, 0.1f));
    }

    @Test
    void layerNormOfPartsOfRows() {
        Parameter x = trainable("x", 3, 8);
        Parameter w = trainable("w", 4);
        Parameter bias = trainable("bias", 4);
        GradCheck.ofOutput(ops, List.of(x, w, bias), tape -> F.layerNorm(tape, rows(tape, x), w, bias, 0.1f));
    }

    @Test
    void scaledAndAddedScaled() {
        Parameter a = trainable("a", 3, 4);
        Parameter b = trainable("b", 3, 4);
        GradCheck.ofOutput(ops, List.of(a, b),
                tape -> F.addScaled(tape, rows(tape, a), F.scale(tape, rows(tape, b), 1.7f), -0.6f));
    }

    @Test
    void columnsTakenApartAndPutTogether() {
        Parameter x = trainable("x", 3, 10);
        Parameter y = trainable("y", 3, 2);
        GradCheck.ofOutput(ops, List.of(x), tape -> {
            Tensor all = rows(tape, x);
            return F.add(tape, F.columns(tape, all, Columns.range(4, 0, 0)), F.columns(tape, all, Columns.range(4, 5, 0)));
        });
        GradCheck.ofOutput(ops, List.of(x, y), tape -> F.columns(tape, 13,
                new F.Part(rows(tape, x), new Columns(3, 2, 1, 3, 0, 4)),
                new F.Part(rows(tape, y), new Columns(3, 2, 0, 0, 2, 4))));
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    void activationWithoutAGate(Activation activation) {
        Parameter x = trainable("x", 4, 5);
        GradCheck.ofOutput(ops, List.of(x), tape -> F.glu(tape, rows(tape, x), null, activation));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aMixtureOfExperts(boolean normalize) {
        Parameter x = trainable("x", 5, 4);
        Parameter router = trainable("router", 3, 4);
        List<Parameter> weights = List.of(trainable("w0", 6, 4), trainable("w1", 6, 4), trainable("w2", 6, 4));
        List<Parameter> downs = List.of(trainable("d0", 4, 6), trainable("d1", 4, 6), trainable("d2", 4, 6));
        List<Adapter> adapters = new ArrayList<>();
        List<Parameter> all = new ArrayList<>(List.of(x, router));
        for (int e = 0; e < 3; e++) {
            adapters.add(e == 1 ? null : new Adapter(trainable("a" + e, 2, 4), trainable("b" + e, 6, 2), 0.7f, 0.3f, 1));
        }
        all.addAll(weights);
        all.addAll(downs);
        for (Adapter adapter : adapters) if (adapter != null) all.addAll(List.of(adapter.a(), adapter.b()));
        Tensor rng = ints(1, 2, 3, 4);
        GradCheck.ofOutput(ops, all, tape -> {
            Tensor in = rows(tape, x);
            Experts.Choice choice = Experts.route(tape, F.linear(tape, in, router, null, null, null, null),
                    new RouteSpec(3, normalize, 1.5f));                  // all of them, as a change of choice has no slope
            Experts.Order order = Experts.order(tape, choice.experts(), 3);
            Tensor inner = Experts.linear(tape, Experts.dispatch(tape, in, order), weights, adapters, order, rng);
            Tensor made = Experts.linear(tape, inner, downs, Arrays.asList(null, null, null), order, null);
            return Experts.combine(tape, made, order.places(), choice.weights(), in);
        });
    }

    @Test
    void rowsTimesASigmoid() {
        Parameter x = trainable("x", 5, 4);
        Parameter number = trainable("number", 5, 1);
        GradCheck.ofOutput(ops, List.of(x, number), tape -> {
            Tensor in = rows(tape, x);
            return Experts.combine(tape, in, null, Experts.sigmoid(tape, rows(tape, number)), in);
        });
    }

    @Test
    void ropeOfNeighbours() {
        AttentionSpec spec = new AttentionSpec(2, 2, 5, 1f, 0f, true);
        Parameter q = trainable("q", 3, 10);
        Parameter k = trainable("k", 3, 10);
        Tensor cos = f32(uniform(8, 1), 4, 2);
        Tensor sin = f32(uniform(8, 2), 4, 2);
        Tensor positions = ints(3, 0, 2);
        GradCheck.ofOutput(ops, List.of(q, k), tape -> {
            Tensor turnedQ = rows(tape, q);
            Tensor turnedK = rows(tape, k);
            F.rope(tape, turnedQ, turnedK, cos, sin, positions, spec);
            return F.add(tape, turnedQ, F.glu(tape, turnedK, turnedQ, Activation.SILU));
        });
    }

    @Test
    void rope() {
        AttentionSpec spec = new AttentionSpec(2, 2, 5, 1f, 0f);
        Parameter q = trainable("q", 3, 10);
        Parameter k = trainable("k", 3, 10);
        Tensor cos = f32(uniform(8, 1), 4, 2);
        Tensor sin = f32(uniform(8, 2), 4, 2);
        Tensor positions = ints(3, 0, 2);
        GradCheck.ofOutput(ops, List.of(q, k), tape -> {
            Tensor turnedQ = rows(tape, q);
            Tensor turnedK = rows(tape, k);
            F.rope(tape, turnedQ, turnedK, cos, sin, positions, spec);
            return F.add(tape, turnedQ, F.glu(tape, turnedK, turnedQ, Activation.SILU));
        });
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    void glu(Activation activation) {
        Parameter gate = trainable("gate", 4, 5);
        Parameter up = trainable("up", 4, 5);
        GradCheck.ofOutput(ops, List.of(gate, up), tape -> F.glu(tape, rows(tape, gate), rows(tape, up), activation));
    }

    @Test
    void addOfDifferentAndOfEqualOperands() {
        Parameter a = trainable("a", 3, 4);
        Parameter b = trainable("b", 3, 4);
        GradCheck.ofOutput(ops, List.of(a, b), tape -> F.add(tape, rows(tape, a), rows(tape, b)));
        GradCheck.ofOutput(ops, List.of(a), tape -> {
            Tensor x = rows(tape, a);
            return F.add(tape, x, x);
        });
    }

    @ParameterizedTest(name = "{0} heads, {1} key-value heads, softcap {2}")
    @CsvSource({"1,1,0", "4,2,0", "3,1,1.5"})
    void attentionOverPackedSequences(int heads, int kvHeads, float softcap) {
        AttentionSpec spec = new AttentionSpec(heads, kvHeads, 4, 0.5f, softcap);
        Parameter q = trainable("q", 6, heads * 4);
        Parameter k = trainable("k", 6, kvHeads * 4);
        Parameter v = trainable("v", 6, kvHeads * 4);
        Tensor start = ints(0, 0, 2, 2, 2, 6);                   // two sequences, then a row that sees nothing
        Tensor stop = ints(1, 2, 3, 4, 5, 6);
        GradCheck.ofOutput(ops, List.of(q, k, v),
                tape -> F.attention(tape, rows(tape, q), rows(tape, k), rows(tape, v), start, stop, spec));
    }

    @Test
    void attentionOfFewerQueriesThanKeys() {
        AttentionSpec spec = new AttentionSpec(2, 1, 3, 0.6f, 0f);
        Parameter q = trainable("q", 2, 6);
        Parameter k = trainable("k", 5, 3);
        Parameter v = trainable("v", 5, 3);
        Tensor start = ints(0, 1);
        Tensor stop = ints(4, 5);
        GradCheck.ofOutput(ops, List.of(q, k, v),
                tape -> F.attention(tape, rows(tape, q), rows(tape, k), rows(tape, v), start, stop, spec));
    }

    @Test
    void linearWithBiasAndResidual() {
        Parameter x = trainable("x", 5, 4);
        Parameter w = trainable("w", 3, 4);
        Parameter bias = trainable("bias", 3);
        Parameter residual = trainable("residual", 5, 3);
        GradCheck.ofOutput(ops, List.of(x, w, bias, residual),
                tape -> F.linear(tape, rows(tape, x), w, bias, rows(tape, residual), null, null));
    }

    @Test
    void linearWhoseResidualIsItsInput() {
        Parameter x = trainable("x", 5, 4);
        Parameter w = trainable("w", 4, 4);
        GradCheck.ofOutput(ops, List.of(x, w), tape -> {
            Tensor shared = rows(tape, x);
            return F.linear(tape, shared, w, null, shared, null, null);
        });
    }

    @ParameterizedTest(name = "dropout {0}, base trainable {1}")
    @CsvSource({"0,false", "0,true", "0.4,false", "0.4,true"})
    void linearWithAdapter(float dropout, boolean baseTrainable) {
        Parameter x = trainable("x", 5, 6);
        Parameter w = trainable("w", 3, 6);
        Parameter bias = trainable("bias", 3);
        Parameter a = trainable("a", 2, 6);
        Parameter b = trainable("b", 3, 2);
        Tensor rng = ints(5, 6, 7, 8);
        w.setTrainable(baseTrainable);
        List<Parameter> checked = baseTrainable ? List.of(x, w, bias, a, b) : List.of(x, bias, a, b);
        GradCheck.ofOutput(ops, checked, tape ->
                F.linear(tape, rows(tape, x), w, bias, null, new Adapter(a, b, 1.25f, dropout, 3), rng));
    }

    @ParameterizedTest(name = "dropout {0}")
    @CsvSource({"0", "0.4"})
    void eitherHalfOfAnAdapterMayBeFrozen(float dropout) {
        Parameter x = trainable("x", 5, 6);
        Parameter w = trainable("w", 3, 6);
        Parameter a = trainable("a", 2, 6);
        Parameter b = trainable("b", 3, 2);
        Tensor rng = ints(5, 6, 7, 8);
        w.setTrainable(false);
        for (boolean halfA : new boolean[] {true, false}) {
            a.setTrainable(halfA);
            b.setTrainable(!halfA);
            for (boolean wantsX : new boolean[] {true, false}) {
                x.setTrainable(wantsX);
                GradCheck.ofOutput(ops, wantsX ? List.of(x, halfA ? a : b) : List.of(halfA ? a : b), tape ->
                        F.linear(tape, rows(tape, x), w, null, null, new Adapter(a, b, 1.25f, dropout, 3), rng));
            }
        }
    }

    @Test
    void linearWithAdapterThatHasABias() {
        Parameter x = trainable("x", 5, 6);
        Parameter w = trainable("w", 3, 6);
        Parameter bias = trainable("bias", 3);
        Parameter a = trainable("a", 2, 6);
        Parameter b = trainable("b", 3, 2);
        Parameter upBias = trainable("b's bias", 3);
        Adapter adapter = new Adapter(a, b, upBias, null, 1.25f, 0f, 3);
        for (Parameter base : new Parameter[] {bias, null}) {
            GradCheck.ofOutput(ops, base == null ? List.of(x, a, b, upBias) : List.of(x, w, bias, a, b, upBias), tape ->
                    F.linear(tape, rows(tape, x), w, base, null, adapter, null));
        }
    }

    /// Finite differences of a layer whose norms stay as they are: they are of a copy of the adapter that does not move.
    private Tensor heldNorms(Parameter w, Parameter a, Parameter b, float scale) {
        Tensor norm = ops.allocate("norms", DType.F32, Shape.of(w.value().rows()));
        float[] weight = ops.toFloats(w.value());
        float[] down = ops.toFloats(a.value());
        float[] up = ops.toFloats(b.value());
        int in = w.value().cols();
        int r = a.value().rows();
        float[] norms = new float[w.value().rows()];
        for (int o = 0; o < norms.length; o++) {
            double squares = 0;
            for (int c = 0; c < in; c++) {
                double value = weight[o * in + c];
                for (int k = 0; k < r; k++) value += (double) scale * up[o * r + k] * down[k * in + c];
                squares += value * value;
            }
            norms[o] = (float) Math.sqrt(squares);
        }
        ops.write(norm, norms);
        return norm;
    }

    /// The norms are constants of the gradient, so the differences are taken of operations whose `rowNorm` repeats itself.
    @ParameterizedTest(name = "dropout {0}, residual {1}")
    @CsvSource({"0,false", "0,true", "0.4,false", "0.4,true"})
    void weightDecomposedLinear(float dropout, boolean added) {
        Parameter x = trainable("x", 5, 6);
        Parameter w = trainable("w", 3, 6);
        Parameter bias = trainable("bias", 3);
        Parameter a = trainable("a", 2, 6);
        Parameter b = trainable("b", 3, 2);
        Parameter length = trainable("length", 3);
        Parameter residual = trainable("residual", 5, 3);
        w.setTrainable(false);
        Tensor rng = ints(5, 6, 7, 8);
        Tensor baseNorm = ops.allocate("base norms", DType.F32, Shape.of(3));
        ops.rowNorm(baseNorm, null, w.value(), w.value(), null, 0.5f);
        Adapter adapter = new Adapter(a, b, null, new Adapter.Magnitude(length, baseNorm), 1.25f, dropout, 3);
        Tensor held = heldNorms(w, a, b, 1.25f);
        TensorOps holding = HeldNorms.of(ops, held);
        List<Parameter> checked = added ? List.of(x, bias, a, b, length, residual) : List.of(x, bias, a, b, length);
        GradCheck.ofOutput(holding, checked, tape -> F.linear(tape, rows(tape, x), w, bias,
                added ? rows(tape, residual) : null, adapter, rng));
        GradCheck.ofOutput(holding, List.of(x, a, b, length), tape -> tape.checkpoint((inner, in) -> {
            Tensor y = F.linear(inner, in, w, null, null, adapter, rng);
            return F.glu(inner, y, y, Activation.SILU);
        }, rows(tape, x)));
        GradCheck.ofOutput(holding, List.of(x, a, b, length), tape -> tape.checkpoint((inner, in) ->
                F.linear(inner, in, w, bias, null, adapter, rng), rows(tape, x)));
        for (Parameter only : List.of(x, a, b, length)) {
            List.of(x, a, b, length, bias).forEach(p -> p.setTrainable(p == only));
            GradCheck.ofOutput(holding, List.of(only), tape -> F.linear(tape, rows(tape, x), w, bias, null, adapter, rng));
        }
    }

    @Test
    void normsOfAnAdaptedWeightAreThoseOfTheMatrix() {
        Parameter w = trainable("w", 7, 40);
        Parameter a = trainable("a", 3, 40);
        Parameter b = trainable("b", 7, 3);
        Tensor baseNorm = ops.allocate("base norms", DType.F32, Shape.of(7));
        ops.rowNorm(baseNorm, null, w.value(), w.value(), null, 0.5f);
        Adapter adapter = new Adapter(a, b, null, new Adapter.Magnitude(trainable("length", 7), baseNorm), 1.5f, 0, 0);
        float[] want = ops.toFloats(heldNorms(w, a, b, 1.5f));
        float[] got = ops.toFloats(F.rowNorms(ops, w, adapter));
        for (int i = 0; i < want.length; i++) assertEquals(want[i], got[i], 40 * 0x1p-24 * want[i]);
    }

    @Test
    void aDecomposedWeightIsFrozen() {
        Parameter w = trainable("w", 3, 6);
        Parameter x = trainable("x", 5, 6);
        Adapter adapter = new Adapter(trainable("a", 2, 6), trainable("b", 3, 2), null,
                new Adapter.Magnitude(trainable("length", 3), f32(new float[3], 3)), 1, 0, 0);
        try (Tape tape = Tape.recording(ops)) {
            Tensor rows = rows(tape, x);
            assertThrows(IllegalArgumentException.class, () -> F.linear(tape, rows, w, null, null, adapter, null));
        }
        assertThrows(IllegalArgumentException.class,
                () -> new Adapter(adapter.a(), adapter.b(), x, adapter.magnitude(), 1, 0, 0));
    }

    @ParameterizedTest(name = "scale {0}, softcap {1}")
    @CsvSource({"1,0", "0.7,1.5"})
    void linearCrossEntropy(float scale, float softcap) {
        Parameter x = trainable("x", 4, 5);
        Parameter w = trainable("w", 7, 5);
        Tensor targets = ints(3, CrossEntropySpec.IGNORE, 0, 6);
        CrossEntropySpec spec = new CrossEntropySpec(2, scale, softcap);
        GradCheck.ofLoss(ops, List.of(x, w),
                (tape, stats) -> F.linearCrossEntropy(tape, stats, null, rows(tape, x), w, targets, spec));
    }

    @Test
    void biasOfTheHead() {
        Parameter x = trainable("x", 4, 5);
        Parameter w = trainable("w", 7, 5);
        Parameter bias = trainable("bias", 7);
        Tensor targets = ints(3, CrossEntropySpec.IGNORE, 0, 6);
        CrossEntropySpec spec = new CrossEntropySpec(2, 1f, 1.5f);
        GradCheck.ofLoss(ops, List.of(x, w, bias),
                (tape, stats) -> F.linearCrossEntropy(tape, stats, null, rows(tape, x), w, bias, targets, null, spec));
    }

    @Test
    void headTiedToTheEmbedding() {
        Parameter table = trainable("table", 7, 5);
        Parameter norm = trainable("norm", 5);
        Tensor ids = ints(1, 6, 1, 0);
        Tensor targets = ints(6, 1, 0, 2);
        GradCheck.ofLoss(ops, List.of(table, norm), (tape, stats) -> F.linearCrossEntropy(tape, stats, null,
                F.rmsNorm(tape, F.embedding(tape, table, ids), norm, 0.1f), table, targets,
                        CrossEntropySpec.chunked(3)));
    }

    @Test
    void aCheckpointedSegment() {
        Parameter x = trainable("x", 4, 6);
        Parameter w = trainable("w", 6, 6);
        Parameter a = trainable("a", 2, 6);
        Parameter b = trainable("b", 6, 2);
        Tensor rng = ints(1, 2, 3, 4);
        GradCheck.ofOutput(ops, List.of(x, w, a, b), tape -> tape.checkpoint((inner, in) ->
                F.linear(inner, F.glu(inner, in, in, Activation.SILU), w, null, in, new Adapter(a, b, 1f, 0.3f, 0),
                        rng),
                rows(tape, x)));
    }

    @Test
    void aWrongGradientIsFound() {
        Parameter x = trainable("x", 3, 4);
        AssertionError failure = assertThrows(AssertionError.class, () -> GradCheck.ofOutput(ops, List.of(x), tape -> {
            Tensor y = rows(tape, x);
            float[] values = ops.toFloats(y);
            values[0] *= 1.001f;                              // backward does not know of this
            ops.write(y, values);
            return y;
        }));
        assertTrue(failure.getMessage().startsWith("gradient of x"), failure.getMessage());
    }
}
