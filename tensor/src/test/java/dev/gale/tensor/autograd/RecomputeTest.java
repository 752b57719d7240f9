package dev.gale.tensor.autograd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.Fixtures;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What a checkpointed segment computes when backward runs it again: all that backward reads, and of its last operation
/// no more than that.
class RecomputeTest {
    private static final int WIDTH = 4;
    private static final AttentionSpec SPEC = new AttentionSpec(1, 1, WIDTH, 0.5f, 0f);
    private static final String NO_Y = "linearForward without y";

    private final CountedCalls counted = CountedCalls.of(new ReferenceOps());
    private final TensorOps ops = counted.ops();
    private final List<Parameter> parameters = new ArrayList<>();
    private final Parameter table = parameter("table", 3, WIDTH);
    private final Parameter norm = parameter("norm", WIDTH);
    private final Parameter w = parameter("w", WIDTH, WIDTH);
    private final Parameter v = parameter("v", WIDTH, WIDTH);
    private final Parameter a = parameter("a", 2, WIDTH);
    private final Parameter b = parameter("b", WIDTH, 2);
    private final Tensor ids = ints(2, 0, 1);
    private final Tensor start = ints(0, 0, 0);
    private final Tensor stop = ints(1, 2, 3);
    private final Tensor rng = ints(1, 2, 3, 4);
    private final Tensor angles = floats(3, WIDTH / 2);

    @AfterEach
    void close() {
        ops.close();
    }

    private Tensor floats(int... dims) {
        Tensor tensor = ops.allocate("floats", DType.F32, Shape.of(dims));
        ops.write(tensor, Fixtures.normal((int) tensor.size(), 0.5, dims.length));
        return tensor;
    }

    private Tensor ints(int... values) {
        Tensor tensor = ops.allocate("ints", DType.I32, Shape.of(values.length));
        ops.write(tensor, values);
        return tensor;
    }

    private Parameter parameter(String name, int... dims) {
        Tensor value = ops.allocate(name, DType.F32, Shape.of(dims));
        ops.write(value, Fixtures.normal((int) value.size(), 0.5, name.hashCode()));
        Parameter parameter = new Parameter(name, value, true);
        parameter.grad(ops);
        parameters.add(parameter);
        return parameter;
    }

    private Tensor linear(Tape tape, Tensor x, Parameter weight, Tensor residual) {
        return F.linear(tape, x, weight, null, residual, null, null);
    }

    private Tensor adapted(Tape tape, Tensor x, float dropout) {
        return F.linear(tape, x, w, null, x, new Adapter(a, b, 2f, dropout, 5), rng);
    }

    private Tensor glu(Tape tape, Tensor x) {
        return F.glu(tape, x, x, Activation.SILU);
    }

    /// Segments, and the forward operations that are run again.
    private enum Case {
        LINEAR_LAST((t, tape, x) -> t.linear(tape, t.glu(tape, x), t.w, x), Map.of("gluForward", 1)),
        ADAPTED_LAST((t, tape, x) -> t.adapted(tape, t.glu(tape, x), 0f), Map.of("gluForward", 1, NO_Y, 1)),
        ADAPTED_WITH_DROPOUT_LAST((t, tape, x) -> t.adapted(tape, x, 0.4f), Map.of(NO_Y, 1)),
        FROZEN_ADAPTER_LAST((t, tape, x) -> {
            t.b.setTrainable(false);
            return t.adapted(tape, x, 0.4f);
        }, Map.of()),
        IN_SCOPES((t, tape, x) -> tape.scope(() -> {
            Tensor inner = tape.scope(() -> t.adapted(tape, t.glu(tape, x), 0f));
            return t.adapted(tape, inner, 0f);
        }), Map.of("gluForward", 1, "linearForward", 1, NO_Y, 1)),
        MUCH_DONE_AFTERWARDS((t, tape, x) -> {
            Tensor normed = F.rmsNorm(tape, x, t.norm, 1e-5f);
            Tensor gated = t.glu(tape, normed);
            tape.forget(normed);
            Tensor y = t.adapted(tape, gated, 0.4f);
            tape.forget(gated);
            tape.done(gated);
            return y;
        }, Map.of("rmsNormForward", 1, "gluForward", 1, NO_Y, 1)),
        SAVED_BY_ANOTHER((t, tape, x) -> {
            Tensor y = t.linear(tape, x, t.w, null);
            t.glu(tape, y);
            return y;
        }, Map.of("linearForward", 1, "gluForward", 1)),
        NOT_OF_THE_LAST((t, tape, x) -> {
            Tensor y = t.linear(tape, x, t.w, null);
            t.linear(tape, x, t.v, null);
            return y;
        }, Map.of("linearForward", 2)),
        CHANGED_IN_PLACE((t, tape, x) -> {
            Tensor y = t.linear(tape, x, t.w, null);
            F.rope(tape, y, t.linear(tape, x, t.v, null), t.angles, t.angles, t.start, SPEC);
            return y;
        }, Map.of("linearForward", 2)),
        SAVED_BY_ITSELF((t, tape, x) -> F.attention(tape, t.linear(tape, x, t.w, null), x, x, t.start, t.stop, SPEC),
                Map.of("linearForward", 1, "attentionForward", 1)),
        READ_BY_ITS_OPS((t, tape, x) -> {
            Tensor y = t.linear(tape, x, t.w, null);
            tape.ops().addScaled(y, x, 0.5f);
            return y;
        }, Map.of("linearForward", 1)),
        A_CHECKPOINT_LAST((t, tape, x) -> {
            Tensor y = t.linear(tape, x, t.v, null);
            return tape.checkpoint((inner, in) -> t.adapted(inner, in, 0f), y);
        }, Map.of("linearForward", 2, NO_Y, 1));

        private final Body body;
        private final Map<String, Integer> again;

        Case(Body body, Map<String, Integer> again) {
            this.body = body;
            this.again = new TreeMap<>(again);
        }

        private interface Body {
            Tensor run(RecomputeTest t, Tape tape, Tensor x);
        }
    }

    /// Gradients of all parameters, cleared then.
    private List<float[]> gradients(Segment segment, Checkpointing checkpointing) {
        try (Tape tape = Tape.recording(ops)) {
            Tensor x = F.embedding(tape, table, ids);
            Tensor y = checkpointing == Checkpointing.NONE ? segment.run(tape, x)
                    : tape.checkpoint(segment, x, new Kept(checkpointing == Checkpointing.SELECTIVE, false));
            ops.write(tape.rootGradient(y), Fixtures.normal((int) y.size(), 1, 9));
            counted.reset();
            tape.backward();
        }
        return parameters.stream().filter(Parameter::trainable).map(parameter -> {
            float[] gradient = ops.toFloats(parameter.grad(ops));
            parameter.zeroGrad(ops);
            return gradient;
        }).toList();
    }

    /// Calls of forward operations in the last backward.
    private Map<String, Integer> forwards() {
        Map<String, Integer> calls = new TreeMap<>(counted.calls());
        calls.keySet().removeIf(name -> !name.endsWith("Forward"));
        int withoutY = counted.nulls("linearForward", 0);
        calls.put(NO_Y, withoutY);
        calls.merge("linearForward", -withoutY, Integer::sum);
        calls.values().removeIf(count -> count == 0);
        return calls;
    }

    @ParameterizedTest
    @EnumSource(Case.class)
    void onlyWhatBackwardReadsIsMadeAgain(Case segment) {
        Segment body = (tape, x) -> segment.body.run(this, tape, x);
        List<float[]> kept = gradients(body, Checkpointing.NONE);
        long live = ops.memory().liveBytes();
        List<float[]> recomputed = gradients(body, Checkpointing.LAYER);
        assertEquals(segment.again, forwards());
        assertEquals(kept.size(), recomputed.size());
        for (int i = 0; i < kept.size(); i++) assertArrayEquals(kept.get(i), recomputed.get(i));
        assertEquals(live, ops.memory().liveBytes());
    }

    @Test
    void aSelectiveCheckpointDoesNotRunAttentionAgain() {
        Segment body = (tape, x) -> {
            Tensor q = linear(tape, x, w, null);
            Tensor o = F.attention(tape, q, x, x, start, stop, SPEC);
            tape.done(q);
            Tensor y = adapted(tape, o, 0.4f);
            tape.done(o);
            return y;
        };
        List<float[]> kept = gradients(body, Checkpointing.NONE);
        long live = ops.memory().liveBytes();
        List<float[]> recomputed = gradients(body, Checkpointing.SELECTIVE);
        assertEquals(Map.of("linearForward", 1, NO_Y, 1), forwards());
        for (int i = 0; i < kept.size(); i++) assertArrayEquals(kept.get(i), recomputed.get(i));
        assertEquals(live, ops.memory().liveBytes());
        parameters.forEach(parameter -> parameter.setTrainable(false));
        try (Tape tape = Tape.recording(ops)) {
            tape.done(tape.checkpoint(body, F.embedding(tape, table, ids), new Kept(true, false)));
        }
        assertEquals(live, ops.memory().liveBytes());
    }

    @Test
    void aSegmentThatFailsWhenRunAgainLeavesNothingOfTheTapeBehind() {
        long live = ops.memory().liveBytes();
        int[] runs = new int[1];
        assertThrows(IllegalArgumentException.class, () -> gradients((tape, x) -> {
            Tensor gated = glu(tape, x);
            Tensor y = adapted(tape, gated, 0.4f);
            tape.done(gated);
            if (++runs[0] == 2) throw new IllegalArgumentException("again");
            return y;
        }, Checkpointing.LAYER));
        live += 64;                                                            // its output's gradient, which was its own
        assertEquals(live, ops.memory().liveBytes());
    }

    /// `y = x`; backward reads what it is said to save.
    private record Copied(Tensor output, Tensor x, Tensor reads, List<String> ran) implements Op {
        @Override
        public List<Tensor> inputs() {
            return List.of(x);
        }

        @Override
        public List<Tensor> saved(Grads grads) {
            return List.of(reads);
        }

        @Override
        public void forward(TensorOps ops) {
            ran.add("all of " + output.name());
            ops.copy(output, x);
        }

        @Override
        public void forwardForBackward(TensorOps ops) {
            ran.add("some of " + output.name());
        }

        @Override
        public void backward(TensorOps ops, Tensor dy, Grads grads) {
            grads.giveIfWanted(x, dy);
        }
    }

    @Test
    void aResultThatAnOperationSavedIsMade() {
        for (boolean saved : new boolean[] {false, true}) {
            List<String> ran = new ArrayList<>();
            gradients((tape, x) -> {
                Tensor y = tape.allocate("y", x.shape());
                Tensor other = tape.allocate("other", x.shape());
                tape.run(new Copied(other, x, saved ? y : x, ran));
                return tape.run(new Copied(y, x, x, ran));
            }, Checkpointing.LAYER);
            assertEquals(List.of("all of other", "all of y", "all of other", saved ? "all of y" : "some of y"), ran);
        }
    }
}
