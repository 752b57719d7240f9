package dev.gale.tensor.autograd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.MemoryUse;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TapeTest {
    private final CountedCalls counted = CountedCalls.of(new ReferenceOps());
    private final TensorOps ops = counted.ops();

    @AfterEach
    void close() {
        ops.close();
    }

    private static List<float[]> gradients(TensorOps ops, TinyModel model) {
        return model.trainable().stream().map(parameter -> ops.toFloats(parameter.grad(ops))).toList();
    }

    private static void assertSameBits(List<float[]> want, List<float[]> got) {
        assertEquals(want.size(), got.size());
        for (int i = 0; i < want.size(); i++) assertArrayEquals(want.get(i), got.get(i));
    }

    private long live() {
        return ops.memory().liveBytes();
    }

    // ---- frozen parameters ----

    @Test
    void frozenParametersCostNothing() {
        TinyModel model = new TinyModel(ops, 3, 0.1f);
        model.freezeAllBut("layer 1 a", "layer 1 b");
        counted.reset();
        model.step(ops, false);
        Map<String, Integer> calls = counted.calls();
        assertFalse(calls.containsKey("matmul"), "no weight has a gradient");
        assertFalse(calls.containsKey("columnSum"), "no bias has a gradient");
        assertFalse(calls.containsKey("scatterAddRows"), "the embedding has no gradient");
        assertEquals(3 * 2, calls.get("linearForward"));
        assertEquals(2 + 2, calls.get("linearBackward"), "those of layers 1 and 2, none of layer 0");
        assertEquals(1 + 1, calls.get("gluBackward"), "those of layers 1 and 2");
        assertEquals(2, calls.get("rmsNormBackward"), "the final one and that of layer 2");
        assertEquals(2, counted.nulls("rmsNormBackward", 2), "with no dw");
        assertEquals(1, counted.nulls("linearBackward", 0), "nothing before layer 1 wants a gradient");
        for (Parameter parameter : model.frozen()) {
            assertThrows(IllegalStateException.class, () -> parameter.grad(ops), parameter.name());
        }
    }

    @Test
    void frozenModelRunsForwardOnlyAndKeepsNothing() {
        TinyModel model = new TinyModel(ops, 2, 0f);
        model.freezeAllBut();
        counted.reset();
        long before = live();
        try (Tape tape = Tape.recording(ops)) {
            Tensor loss = model.forward(tape, true);
            tape.backward();
            assertEquals(0, counted.calls().keySet().stream().filter(name -> name.endsWith("Backward")).count());
            assertEquals(2 * 2, counted.calls().get("linearForward"), "checkpointed segments are not run again");
            ops.release(loss);
            assertEquals(before, live());
        }
    }

    @Test
    void checkpointedSegmentsBelowTheFirstAdapterAreNotRunAgain() {
        TinyModel model = new TinyModel(ops, 3, 0f);
        model.freezeAllBut("layer 1 a", "layer 1 b");
        counted.reset();
        model.step(ops, true);
        assertEquals(2, counted.calls().get("gluBackward"), "those of layers 1 and 2");
        assertEquals(3 + 2, counted.calls().get("gluForward"), "layers 1 and 2 twice, layer 0 once");
    }

    // ---- checkpoints ----

    @ParameterizedTest
    @ValueSource(floats = {0f, 0.3f})
    void checkpointsGiveTheSameBitsAsNone(float dropout) {
        TinyModel plain = new TinyModel(ops, 3, dropout);
        TinyModel checkpointed = new TinyModel(ops, 3, dropout);
        float lossOfPlain = plain.step(ops, false);
        float lossOfCheckpointed = checkpointed.step(ops, true);
        assertEquals(lossOfPlain, lossOfCheckpointed);
        assertSameBits(gradients(ops, plain), gradients(ops, checkpointed));
    }

    @Test
    void nestedCheckpointsGiveTheSameBits() {
        TinyModel plain = new TinyModel(ops, 4, 0.3f);
        TinyModel nested = new TinyModel(ops, 4, 0.3f);
        plain.step(ops, false);
        nested.stepNested(ops);
        assertSameBits(gradients(ops, plain), gradients(ops, nested));
    }

    @Test
    void checkpointsNeedLessMemory() {
        assertTrue(peakOfPass(true) < peakOfPass(false) / 2, peakOfPass(true) + " of " + peakOfPass(false));
    }

    private long peakOfPass(boolean checkpoint) {
        try (TensorOps own = new ReferenceOps()) {
            TinyModel model = new TinyModel(own, 8, 0f);
            model.trainable().forEach(parameter -> parameter.grad(own));
            long before = own.memory().liveBytes();
            own.resetPeak();
            model.step(own, checkpoint);
            return own.memory().peakLiveBytes() - before;
        }
    }

    @Test
    void dropoutDropsInTrainingOnly() {
        TinyModel model = new TinyModel(ops, 1, 0.5f);
        float training = model.step(ops, false);
        counted.reset();
        try (Tape tape = Tape.inference(ops)) {
            assertFalse(tape.isTraining());
            assertTrue(training != ops.toFloats(model.forward(tape, true))[0]);
            assertFalse(counted.calls().containsKey("dropout"));
        }
    }

    @Test
    void aSegmentMustReturnWhatItMade() {
        Tensor x = ops.allocate("x", DType.F32, Shape.of(1));
        try (Tape tape = Tape.recording(ops)) {
            assertThrows(IllegalStateException.class, () -> tape.checkpoint((inner, in) -> in, x));
        }
    }

    // ---- memory ----

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void everythingIsReleasedByBackwardAndClose(boolean checkpoint) {
        TinyModel model = new TinyModel(ops, 3, 0.2f);
        model.trainable().forEach(parameter -> parameter.grad(ops));
        long before = live();
        Tape tape = Tape.recording(ops);
        Tensor loss = model.forward(tape, checkpoint);
        long beforeBackward = live();
        tape.backward();
        assertTrue(beforeBackward > before);
        ops.release(loss);
        assertEquals(before, live(), "backward leaves nothing behind");
        tape.close();
        assertEquals(before, live());
    }

    @Test
    void closingAnUnfinishedPassReleasesEverything() {
        TinyModel model = new TinyModel(ops, 3, 0.2f);
        model.trainable().forEach(parameter -> parameter.grad(ops));
        long before = live();
        Tape tape = Tape.recording(ops);
        Tensor loss = model.forward(tape, false);
        tape.close();
        ops.release(loss);
        assertEquals(before, live());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aPlanTakesExactlyTheMemoryOfARun(boolean checkpoint) {
        try (TensorOps run = new CpuOps(2); TensorOps plan = new NullOps()) {
            assertEquals(memoryOfTwoSteps(run, checkpoint), memoryOfTwoSteps(plan, checkpoint));
        }
    }

    private static List<MemoryUse> memoryOfTwoSteps(TensorOps ops, boolean checkpoint) {
        TinyModel model = new TinyModel(ops, 5, 0.1f);
        MemoryUse built = ops.memory();
        model.step(ops, checkpoint);
        MemoryUse first = ops.memory();
        ops.resetPeak();
        model.step(ops, checkpoint);
        return List.of(built, first, ops.memory());
    }

    // ---- scopes ----

    @Test
    void aScopeReleasesWhatItMadeButItsResult() {
        try (Tape tape = Tape.inference(ops)) {
            long before = live();
            Tensor result = tape.scope(() -> {
                tape.allocate("scratch", Shape.of(100));
                return tape.allocate("result", Shape.of(16));
            });
            assertEquals(before + 64, live());
            tape.done(result);
            tape.done(result);                                        // nothing left to do
            assertEquals(before, live());
        }
    }

    @Test
    void doneKeepsWhatBackwardWillRead() {
        Parameter gate = new Parameter("gate", ops.allocate("gate", DType.F32, Shape.of(2, 3)), true);
        ops.fill(gate.value(), 0.5f);
        Tensor ids = ops.allocate("ids", DType.I32, Shape.of(2));
        ops.fill(ids, 1f);
        gate.grad(ops);
        try (Tape tape = Tape.recording(ops)) {
            long before = live();
            Tensor x = F.embedding(tape, gate, ids);
            Tensor y = F.glu(tape, x, x, Activation.SILU);
            tape.done(x);
            assertEquals(before + 128, live(), "glu reads x in backward");
            Tensor z = F.add(tape, y, y);
            tape.done(y);
            assertEquals(before + 128, live(), "nobody reads y again; z took its size");
            ops.fill(tape.rootGradient(z), 1f);
            tape.backward();
            assertEquals(before, live());
        }
    }

    // ---- forgetting ----

    private Parameter filled(String name, float value, int... dims) {
        Parameter parameter = new Parameter(name, ops.allocate(name, DType.F32, Shape.of(dims)), true);
        ops.fill(parameter.value(), value);
        parameter.grad(ops);
        return parameter;
    }

    /// Embedding, two chained norms, glu, linear: gradients of all four weights, and the calls of rmsNormForward.
    private List<float[]> chainOfNorms(boolean forget) {
        List<Parameter> weights = List.of(filled("table", 0.5f, 2, 3), filled("norm", 0.7f, 3), filled("again", 0.9f, 3),
                filled("weight", 0.3f, 4, 3));
        ops.write(weights.getFirst().value(), new float[] {1, -2, 3, 4, 5, -6});
        Tensor ids = ops.allocate("ids", DType.I32, Shape.of(2));
        ops.write(ids, new int[] {1, 0});
        try (Tape tape = Tape.recording(ops)) {
            Tensor x = F.embedding(tape, weights.get(0), ids);
            Tensor first = F.rmsNorm(tape, x, weights.get(1), 1e-5f);
            Tensor second = F.rmsNorm(tape, first, weights.get(2), 1e-5f);
            Tensor inner = F.glu(tape, second, second, Activation.SILU);
            Tensor y = F.linear(tape, inner, weights.get(3), null, null, null, null);
            long before = live();
            if (forget) {
                List.of(first, second, inner).forEach(tape::forget);
                assertEquals(before - 3 * 64, live());
            }
            ops.fill(tape.rootGradient(y), 1f);
            tape.backward();
        }
        return weights.stream().map(parameter -> ops.toFloats(parameter.grad(ops))).toList();
    }

    @Test
    void whatWasForgottenIsMadeAgainForBackward() {
        List<float[]> kept = chainOfNorms(false);
        counted.reset();
        assertSameBits(kept, chainOfNorms(true));
        assertEquals(4, counted.calls().get("rmsNormForward"), "each norm once more");
        assertEquals(2, counted.calls().get("gluForward"));
    }

    @Test
    void whatWasChangedInPlaceIsKept() {
        Parameter norm = filled("norm", 0.7f, 4);
        Tensor x = ops.allocate("x", DType.F32, Shape.of(2, 4));
        Tensor angles = ops.allocate("angles", DType.F32, Shape.of(2, 2));
        Tensor positions = ops.allocate("positions", DType.I32, Shape.of(2));
        Tensor stop = ops.allocate("stop", DType.I32, Shape.of(2));
        ops.write(x, new float[] {1, 2, 3, 4, 5, 6, 7, 8});
        ops.fill(angles, 0.6f);
        ops.fill(positions, 0);
        ops.fill(stop, 2);
        AttentionSpec spec = new AttentionSpec(1, 1, 4, 0.5f, 0f);
        try (Tape tape = Tape.recording(ops)) {
            Tensor q = F.rmsNorm(tape, x, norm, 1e-5f);
            F.rope(tape, q, q, angles, angles, positions, spec);
            F.attention(tape, q, q, q, positions, stop, spec);
            float[] rotated = ops.toFloats(q);
            tape.forget(q);
            assertArrayEquals(rotated, ops.toFloats(q));
        }
    }

    @Test
    void tensorsOfOthersAreLeftAlone() {
        Tensor mine = ops.allocate("mine", DType.F32, Shape.of(4));
        try (Tape tape = Tape.recording(ops)) {
            tape.scope(() -> mine);
            tape.done(mine);
        }
        ops.release(mine);                                            // still there
    }

    // ---- misuse ----

    @Test
    void backwardNeedsARecordingTapeAndOneLossPerActivation() {
        try (Tape tape = Tape.inference(ops)) {
            assertThrows(IllegalStateException.class, tape::backward);
        }
        try (Tape tape = Tape.recording(ops)) {
            Tensor y = tape.allocate("y", Shape.of(1));
            tape.rootGradient(y);
            assertThrows(IllegalStateException.class, () -> tape.rootGradient(y));
        }
    }
}
