package dev.gale.tensor.testing;

import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.LowRankGrads;
import dev.gale.tensor.ops.Quantized8;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import java.lang.foreign.Arena;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The contract can fail: implementations that are wrong by a little, or in one case only, do not pass it.
class BrokenOpsTest {

    /// The contract on an implementation with one method's arguments changed.
    private static final class Broken extends OpsContract {
        private final String method;
        private final UnaryOperator<Object[]> change;

        Broken(String method, UnaryOperator<Object[]> change) {
            this.method = method;
            this.change = change;
        }

        @Override
        protected TensorOps createOps() {
            TensorOps right = new ReferenceOps(Trial.CHUNK_BYTES);
            return (TensorOps) Proxy.newProxyInstance(TensorOps.class.getClassLoader(),
                    new Class<?>[] {TensorOps.class},
                    (proxy, called, arguments) -> {
                        try {
                            return called.invoke(right, called.getName().equals(method)
                                    ? change.apply(arguments) : arguments);
                        } catch (InvocationTargetException thrown) {
                            throw thrown.getCause();
                        }
                    });
        }
    }

    private static Arguments broken(String how, String method, UnaryOperator<Object[]> change,
            Consumer<OpsContract> check) {
        return Arguments.of(Named.of(method + " " + how, new Broken(method, change)), Named.of("its check", check));
    }

    private static UnaryOperator<Object[]> with(int index, UnaryOperator<Object> change) {
        return arguments -> {
            Object[] changed = arguments.clone();
            changed[index] = change.apply(arguments[index]);
            return changed;
        };
    }

    private static UnaryOperator<Object[]> times(int index, double factor) {
        return with(index, value -> (float) ((float) value * factor));
    }

    private static final UnaryOperator<Object> NEGATED = value -> !(boolean) value;
    private static final double SLIGHTLY = 1 + 1e-4;

    /// Of the first rows instead of the chosen ones.
    private static Object[] ofOtherRows(Object[] arguments) {
        Object[] changed = arguments.clone();
        CrossEntropySpec spec = (CrossEntropySpec) changed[arguments.length - 1];
        Tensor first = new Tensor("rows", DType.I32, Shape.of(3), new Storage.Host(Arena.ofAuto().allocate(12, 4)));
        changed[arguments.length - 1] = spec.ofRows(first);
        return changed;
    }

    static Stream<Arguments> wrongImplementations() {
        return Stream.of(
                broken("scaled by a little", "addScaled", times(2, SLIGHTLY), c -> c.addScaledAccumulates(7)),
                broken("of another stream", "dropout", with(4, s -> (int) s + 1),
                        c -> c.dropoutDropsWhatPhiloxSays(7, 0.1f, true)),
                broken("that overwrites", "dropout", with(5, NEGATED),
                        c -> c.dropoutDropsWhatPhiloxSays(7, 0.1f, true)),
                broken("scaled by a little", "matmul", times(5, SLIGHTLY), c -> c.matmulTakesEveryTranspose(17, 33, 9)),
                broken("that overwrites", "matmul", with(6, NEGATED), c -> c.matmulTakesEveryTranspose(5, 7, 1)),
                broken("without bias", "linearForward", with(3, b -> null), c -> linear(c)),
                broken("without residual", "linearForward", with(4, b -> null), c -> linear(c)),
                broken("with a weaker side", "linearForward", with(5, BrokenOpsTest::weaker), c -> linear(c)),
                broken("that makes nothing without y", "linearForward", BrokenOpsTest::nothingWithoutY,
                        c -> c.linearForwardWithoutYMakesTheSameLow(3, 5, 7, 2, DType.F32)),
                broken("with a weaker side", "linearBackward", with(4, BrokenOpsTest::weaker), c -> linearBack(c)),
                broken("without dB", "linearBackward", with(5, BrokenOpsTest::withoutB), c -> linearBack(c)),
                broken("that overwrites", "linearBackward", with(1, NEGATED), c -> linearBack(c)),
                broken("scaled by a little", "rowNorm", times(5, SLIGHTLY), c -> c.rowNormAddsItsParts(3, 5, DType.F32)),
                broken("without gram", "rowNorm", with(4, g -> null), c -> c.rowNormAddsItsParts(3, 5, DType.F32)),
                broken("without bias", "columnScaleForward", with(4, b -> null),
                        c -> c.columnScaleForwardAddsItsParts(3, 5, DType.F32)),
                broken("with norms for lengths", "columnScaleForward", a -> new Object[] {a[0], a[1], a[3], a[2], a[4], a[5]},
                        c -> c.columnScaleForwardAddsItsParts(3, 5, DType.F32)),
                broken("without lengths", "columnScaleBackward", with(1, m -> null), c -> c.columnScaleBackwardMatches(3, 5)),
                broken("with another eps", "rmsNormForward", times(4, 2), c -> norm(c)),
                broken("without dw", "rmsNormBackward", with(2, w -> null), c -> normBack(c)),
                broken("that overwrites", "rmsNormBackward", with(1, NEGATED), c -> normBack(c)),
                broken("without a shift", "rmsNormForward", a -> a.length == 6
                        ? new Object[] {a[0], a[1], a[2], a[3], a[4], 0f} : a,
                        c -> c.rmsNormTakesPartsOfRowsAndAShift(3, 2, 5, DType.F32)),
                broken("without bias", "layerNormForward", a -> new Object[] {a[0], a[1], a[2], a[3], a[4], a[4], a[6]},
                        c -> c.layerNormForwardMatches(3, 70, DType.F32)),
                broken("that overwrites", "layerNormBackward", with(1, NEGATED), c -> c.layerNormBackwardMatches(3, 5)),
                broken("without dBias", "layerNormBackward", with(3, b -> null), c -> c.layerNormBackwardMatches(3, 5)),
                broken("scaled by a little", "scale", times(2, SLIGHTLY), c -> c.scaleIsRoundedOnce(7, -3)),
                broken("without a cap", "scale", with(3, cap -> 0f), c -> c.scaleCaps(7, 1, 50)),
                broken("that overwrites", "copyColumns", with(3, NEGATED),
                        c -> c.copyColumnsMovesRepeatsAndSums(3, 1, 5, 2, 0, 9, 1, 0, 7)),
                broken("without bias", "linearCrossEntropy", a -> a.length == 11
                        ? new Object[] {a[0], a[1], a[2], a[3], null, a[5],
                    a[6], null, a[8], a[9], a[10]} : a, c -> c.crossEntropyWithABiasMatches(3, 7, 5, 2, 0)),
                broken("turned back", "rope", with(6, NEGATED), c -> c.ropeRotatesPairsInPlace(5, 3, 1, 6, 3, false)),
                broken("with another gate", "gluForward", with(3, a -> other((Activation) a)),
                        c -> c.gluMatchesBothWays(Activation.GELU)),
                broken("with another gate", "gluBackward", with(5, a -> other((Activation) a)),
                        c -> c.gluMatchesBothWays(Activation.GELU)),
                broken("scaled by a little", "attentionForward", with(7, s -> scaled((AttentionSpec) s)),
                        c -> attend(c)),
                broken("scaled by a little", "attentionBackward", with(11, s -> scaled((AttentionSpec) s)),
                        c -> attendBack(c)),
                broken("across sequences", "attentionForward", BrokenOpsTest::acrossSequences, c -> attend(c)),
                broken("without softcap", "attentionForward", with(7, s -> uncapped((AttentionSpec) s)),
                        c -> c.attentionForwardSeesItsRange(AttentionContract.Layout.SOFTCAPPED)),
                broken("scaled by a little", "linearCrossEntropy", with(7, BrokenOpsTest::scaledLoss), c -> loss(c)),
                broken("without dw", "linearCrossEntropy", with(3, w -> null), c -> loss(c)),
                broken("of other rows", "linearCrossEntropy", BrokenOpsTest::ofOtherRows,
                        c -> c.crossEntropyTakesTheGradientOfSomeRows(3, 7, 5, DType.F32, 2)),
                broken("without token losses", "linearCrossEntropy", with(1, w -> null), c -> loss(c)),
                broken("with another k", "balanceBackward", with(5, k -> (int) k + 1),
                        c -> c.balanceBackwardMatches(33, 64, 6, true)),
                broken("that overwrites", "balanceBackward", with(6, NEGATED), c -> c.balanceBackwardMatches(33, 64, 6, true)),
                broken("of half the choices", "balanceForward", with(1, BrokenOpsTest::firstHalf),
                        c -> c.balanceAddsUpChoicesAndProbabilities(300, 8, 2, DType.BF16)),
                broken("clipped a little earlier", "clipFactor", times(3, 0.9999), c -> c.clipFactorMatches(400, 2, 1)),
                broken("with m for v", "adamW", a -> new Object[] {a[0], a[1], a[3], a[2], a[4], a[5]},
                        c -> c.adamWMatches(7, 0)),
                broken("with m for the gradient", "lion", a -> new Object[] {a[0], a[2], a[2], a[3], a[4]},
                        c -> c.lionMatches(64, 0)),
                broken("without momentum", "sgd", with(2, m -> null), c -> c.sgdMatches(64, 0.9f, 0)),
                broken("with z for v", "scheduleFreeAdamW", a -> new Object[] {a[0], a[1], a[3], a[2], a[4], a[5]},
                        c -> c.scheduleFreeAdamWMatches(7, 0, 0.25f)),
                broken("with another clip", "adafactor", with(4, BrokenOpsTest::otherClip),
                        c -> c.adafactorMatchesForMatrices(3, 7, 1)),
                broken("whose moments are not kept", "adamW8bit", with(2, BrokenOpsTest::copied),
                        c -> c.adamW8bitFollowsItsFormula(257)),
                broken("whose moment is not kept", "lion8bit", with(2, BrokenOpsTest::copied),
                        c -> c.lion8bitFollowsItsFormula(257)));
    }

    private static void linear(OpsContract contract) {
        contract.linearForwardAddsItsParts(3, 5, 7, 2, DType.F32);
    }

    private static void linearBack(OpsContract contract) {
        contract.linearBackwardSharesTheGradient(3, 5, 7, 2, DType.F32);
    }

    private static void norm(OpsContract contract) {
        contract.rmsNormForwardIsRelativelyExact(3, 5, DType.F32, 1);
    }

    private static void normBack(OpsContract contract) {
        contract.rmsNormBackwardMatches(3, 5, DType.F32);
    }

    private static void attend(OpsContract contract) {
        contract.attentionForwardSeesItsRange(AttentionContract.Layout.PACKED);
    }

    private static void attendBack(OpsContract contract) {
        contract.attentionBackwardMatches(AttentionContract.Layout.PACKED);
    }

    private static void loss(OpsContract contract) {
        contract.crossEntropyMatches(17, 33, 64, DType.BF16, 4, 1, 0);
    }

    private static Object firstHalf(Object experts) {
        Tensor whole = (Tensor) experts;
        return new Tensor(whole.name(), whole.dtype(), Shape.of(whole.rows(), whole.cols() / 2), whole.storage());
    }

    private static Object weaker(Object side) {
        if (!(side instanceof LowRank(Tensor input, Tensor a, Tensor b, Tensor low, float scale))) return null;
        return new LowRank(input, a, b, low, (float) (scale / SLIGHTLY));
    }

    private static Object[] nothingWithoutY(Object[] arguments) {
        return arguments[0] == null ? with(5, side -> null).apply(arguments) : arguments;
    }

    private static Object withoutB(Object grads) {
        if (!(grads instanceof LowRankGrads(Tensor dA, Tensor dB, Tensor dLow, Tensor dInput))) return null;
        return new LowRankGrads(dA, null, dLow, dInput);
    }

    private static Activation other(Activation activation) {
        return activation == Activation.GELU ? Activation.GELU_TANH : Activation.GELU;
    }

    private static AttentionSpec scaled(AttentionSpec spec) {
        return new AttentionSpec(spec.numHeads(), spec.numKvHeads(), spec.headDim(), spec.scale() * 1.001f,
                spec.softcap());
    }

    private static AttentionSpec uncapped(AttentionSpec spec) {
        return new AttentionSpec(spec.numHeads(), spec.numKvHeads(), spec.headDim(), spec.scale(), 0);
    }

    /// Row 64 sees the last key of the sequence before its own: one pair of thousands.
    private static Object[] acrossSequences(Object[] arguments) {
        Object[] changed = arguments.clone();
        TensorOps copy = new ReferenceOps(Trial.CHUNK_BYTES);
        Tensor start = (Tensor) arguments[5];
        int[] starts = copy.toInts(start);
        starts[64]--;
        changed[5] = copy.allocate("start", start.dtype(), start.shape());
        copy.write((Tensor) changed[5], starts);
        return changed;
    }

    private static Object scaledLoss(Object spec) {
        CrossEntropySpec right = (CrossEntropySpec) spec;
        return new CrossEntropySpec(right.chunkRows(), right.scale() * 1.001f, right.softcap());
    }

    private static Object otherClip(Object hyper) {
        TensorOps copy = new ReferenceOps(Trial.CHUNK_BYTES);
        float[] numbers = copy.toFloats((Tensor) hyper);
        numbers[3] *= 0.99f;
        Tensor changed = copy.allocate("hyper", DType.F32, ((Tensor) hyper).shape());
        copy.write(changed, numbers);
        return changed;
    }

    /// A state whose new codes nobody sees.
    private static Object copied(Object state) {
        TensorOps copy = new ReferenceOps(Trial.CHUNK_BYTES);
        Quantized8 kept = (Quantized8) state;
        Tensor codes = copy.allocate("codes", DType.U8, kept.codes().shape());
        codes.segment().copyFrom(kept.codes().segment());
        return new Quantized8(codes, kept.absmax());
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("wrongImplementations")
    void aWrongImplementationIsFound(OpsContract broken, Consumer<OpsContract> check) {
        assertThrows(AssertionError.class, () -> check.accept(broken));
    }
}
