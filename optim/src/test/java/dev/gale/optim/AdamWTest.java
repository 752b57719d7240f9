package dev.gale.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class AdamWTest {
    private static final AdamW.Settings SETTINGS = new AdamW.Settings(0.8, 0.95, 1e-6);
    private static final float[] TORCH_P = {0.96957248f, -1.96643424f, 0.49605855f, 0.00099720282f, -29.92679977f};
    private static final float[] TORCH_Q = {0.22438863f, -0.72200006f};

    private final TensorOps ops = new ReferenceOps();
    private final Tensor one = tensor("one", 1f);

    @AfterEach
    void close() {
        ops.close();
    }

    private Tensor tensor(String name, float... values) {
        Tensor tensor = ops.allocate(name, DType.F32, Shape.of(values.length));
        ops.write(tensor, values);
        return tensor;
    }

    private Parameter parameter(String name, float... values) {
        return new Parameter(name, tensor(name, values), true);
    }

    private void setGradients(Parameter p, Parameter q, int step) {
        ops.write(p.grad(ops), new float[] {0.1f * (step + 1), -3, 1e-7f, 0, step % 2 == 0 ? 20 : -20});
        ops.write(q.grad(ops), new float[] {1f / (step + 1), -0.5f});
    }

    private Parameter p() {
        return parameter("p", 1, -2, 0.5f, 1e-3f, -30);
    }

    private Parameter q() {
        return parameter("q", 0.25f, -0.75f);
    }

    private AdamW optimizer(Parameter p, Parameter q) {
        return new AdamW(ops, List.of(new ParamGroup(List.of(p), 0.1), new ParamGroup(List.of(q), 0)), SETTINGS);
    }

    /// Expected values by torch.optim.AdamW 2.13 with the same gradients and rates.
    @Test
    void equalsTorchWithTwoGroupsAndAChangingRate() {
        Parameter p = p();
        Parameter q = q();
        try (AdamW adamW = optimizer(p, q)) {
            for (int step = 0; step < 4; step++) {
                setGradients(p, q, step);
                adamW.step(1e-2 * (1 - 0.2 * step), one);
            }
            assertClose(TORCH_P, ops.toFloats(p.value()));
            assertClose(TORCH_Q, ops.toFloats(q.value()));
            assertEquals(4, adamW.steps());
        }
    }

    /// Two ulps per step.
    private static void assertClose(float[] expected, float[] actual) {
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], actual[i], 8 * Math.ulp(Math.max(Math.abs(expected[i]), 0.03f)), "element " + i);
        }
    }

    @Test
    void theFactorScalesGradientsWithoutTouchingThem() {
        Parameter p = p();
        Parameter q = q();
        Parameter scaledP = p();
        Parameter scaledQ = q();
        try (AdamW plain = optimizer(p, q); AdamW scaled = optimizer(scaledP, scaledQ)) {
            setGradients(p, q, 0);
            setGradients(scaledP, scaledQ, 0);
            ops.addScaled(scaledP.grad(ops), scaledP.grad(ops), 3);
            ops.addScaled(scaledQ.grad(ops), scaledQ.grad(ops), 3);
            float[] before = ops.toFloats(scaledP.grad(ops));
            plain.step(1e-2, one);
            scaled.step(1e-2, tensor("quarter", 0.25f));
            assertArrayEquals(ops.toFloats(p.value()), ops.toFloats(scaledP.value()));
            assertArrayEquals(ops.toFloats(q.value()), ops.toFloats(scaledQ.value()));
            assertArrayEquals(before, ops.toFloats(scaledP.grad(ops)));
        }
    }

    @Test
    void aMultiplierOfZeroLeavesItsGroupAlone() {
        Parameter p = p();
        Parameter q = q();
        List<ParamGroup> groups = List.of(new ParamGroup(List.of(p), 0.1, 0), new ParamGroup(List.of(q), 0, 2));
        try (AdamW adamW = new AdamW(ops, groups, SETTINGS)) {
            float[] before = ops.toFloats(p.value());
            setGradients(p, q, 0);
            adamW.step(1e-2, one);
            assertArrayEquals(before, ops.toFloats(p.value()));
            assertEquals(0.25f - 0.02f, ops.toFloats(q.value())[0], 1e-6f);     // first step: lr * sign(g)
        }
    }

    @Test
    void stateGoesOnBitForBitInAFreshOptimizer() {
        Parameter p = p();
        Parameter q = q();
        Parameter resumedP;
        Parameter resumedQ;
        try (AdamW whole = optimizer(p, q)) {
            setGradients(p, q, 0);
            whole.step(1e-2, one);
            resumedP = parameter("p", ops.toFloats(p.value()));
            resumedQ = parameter("q", ops.toFloats(q.value()));
            try (AdamW resumed = optimizer(resumedP, resumedQ)) {
                resumed.restore(whole.state(), "checkpoint");
                assertEquals(1, resumed.steps());
                setGradients(p, q, 1);
                setGradients(resumedP, resumedQ, 1);
                whole.step(5e-3, one);
                resumed.step(5e-3, one);
                whole.state().forEach((name, tensor) -> {
                    if (tensor.dtype() == DType.F32) {
                        assertArrayEquals(ops.toFloats(tensor), ops.toFloats(resumed.state().get(name)), name);
                    } else {
                        assertArrayEquals(ops.toInts(tensor), ops.toInts(resumed.state().get(name)), name);
                    }
                });
            }
        }
        assertArrayEquals(ops.toFloats(p.value()), ops.toFloats(resumedP.value()));
        assertArrayEquals(ops.toFloats(q.value()), ops.toFloats(resumedQ.value()));
    }

    @Test
    void foreignStateIsRefusedAndChangesNothing() {
        Parameter p = p();
        Parameter q = q();
        try (AdamW adamW = optimizer(p, q); AdamW other = optimizer(p(), q())) {
            Map<String, Tensor> missing = new LinkedHashMap<>(other.state());
            missing.remove("exp_avg.q");
            Map<String, Tensor> extra = new LinkedHashMap<>(other.state());
            extra.put("exp_avg.r", one);
            Map<String, Tensor> reshaped = new LinkedHashMap<>(other.state());
            reshaped.put("exp_avg_sq.p", one);
            setGradients(p, q, 0);
            adamW.step(1e-2, one);
            float[] before = ops.toFloats(adamW.state().get("exp_avg.p"));
            assertRefused(adamW, missing, "run/optimizer.safetensors: optimizer state exp_avg.q is missing");
            assertRefused(adamW, extra, "exp_avg.r belongs to no trainable parameter");
            assertRefused(adamW, reshaped, "exp_avg_sq.p is F32 [1], this run needs F32 [5]");
            assertArrayEquals(before, ops.toFloats(adamW.state().get("exp_avg.p")));
            assertEquals(1, adamW.steps());
        }
    }

    private static void assertRefused(AdamW adamW, Map<String, Tensor> state, String part) {
        InputException refusal =
                assertThrows(InputException.class, () -> adamW.restore(state, "run/optimizer.safetensors"));
        assertTrue(refusal.getMessage().contains(part), refusal.getMessage());
    }

    @Test
    void closeGivesAllMemoryBack() {
        Parameter p = p();
        long before = ops.memory().liveBytes();
        AdamW adamW = new AdamW(ops, ParamGroups.single(List.of(p), 0), AdamW.Settings.DEFAULT);
        assertTrue(ops.memory().liveBytes() > before);
        adamW.close();
        adamW.close();
        assertEquals(before, ops.memory().liveBytes());
    }

    @Test
    void unusableParametersAreRefused() {
        Parameter half = new Parameter("half", ops.allocate("half", DType.BF16, Shape.of(3)), true);
        Parameter frozen = Parameter.frozen("frozen", tensor("frozen", 1));
        Parameter p = p();
        for (List<Parameter> bad : List.of(List.of(half), List.of(frozen), List.of(p, p))) {
            assertThrows(IllegalArgumentException.class, () -> new AdamW(ops, ParamGroups.single(bad, 0), SETTINGS));
        }
        assertThrows(InputException.class, () -> new AdamW.Settings(1, 0.9, 1e-8));
        assertThrows(InputException.class, () -> new AdamW.Settings(0.9, Double.NaN, 1e-8));
        assertThrows(InputException.class, () -> new AdamW.Settings(0.9, 0.9, -1));
    }
}
