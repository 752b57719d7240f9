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
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.Fixtures;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What optimizers remember: how much, across a restart, and where.
class OptimizerStatesTest {
    private static OptimizerSettings settings(String optim) {
        String args = switch (optim) {
            case "galore_adamw" -> "rank=4, update_proj_gap=3";
            case "sgd" -> "momentum=0.9";
            default -> "";
        };
        return OptimizerSettings.DEFAULT.with(OptimArgs.parse(args));
    }

    static List<String> names() {
        return Optimizer.names();
    }

    /// Saved as a trainer saves: with the values to evaluate in place, if there are others.
    @ParameterizedTest
    @MethodSource("names")
    void aRestartGoesOnBitForBit(String optim) {
        try (TensorOps ops = new CpuOps(2); TensorOps host = new ReferenceOps();
             Runs whole = new Runs(ops, optim, settings(optim)); Runs resumed = new Runs(ops, optim, settings(optim))) {
            for (int t = 1; t <= 4; t++) whole.step(t);
            whole.optimizer.eval();
            for (int i = 0; i < 4; i++) ops.write(resumed.parameters.get(i).value(), whole.value(i));
            resumed.optimizer.restore(whole.saved(host), "checkpoint");
            assertEquals(4, resumed.optimizer.steps());
            for (int t = 5; t <= 8; t++) {
                whole.step(t);
                resumed.step(t);
            }
            Map<String, Tensor> want = whole.saved(host);
            resumed.saved(host).forEach((name, tensor) ->
                    assertEquals(-1, tensor.segment().mismatch(want.get(name).segment()), name));
            for (int i = 0; i < 4; i++) assertArrayEquals(whole.value(i), resumed.value(i));
        }
    }

    /// Bytes of states for a matrix of a million parameters.
    @ParameterizedTest
    @CsvSource({"adamw_torch, 8", "adamw_8bit, 2.03125", "paged_adamw_8bit, 2.03125", "lion_32bit, 4", "lion_8bit, 1.015625",
        "sgd, 0", "adafactor, 0.0079", "schedule_free_adamw, 8", "galore_adamw, 1.126"})
    void statesTakeSoManyBytesAParameter(String optim, double each) {
        try (TensorOps ops = new NullOps()) {
            Tensor value = ops.allocate("w.weight", DType.F32, Shape.of(1024, 1024));
            Parameter parameter = new Parameter("w.weight", value, true);
            OptimizerSettings settings = OptimizerSettings.DEFAULT.with(
                    optim.startsWith("galore") ? OptimArgs.parse("rank=96") : OptimArgs.NONE);
            long before = ops.memory().liveBytes();
            try (Optimizer optimizer = Optimizer.of(optim, ops, ParamGroups.single(List.of(parameter), 0), settings)) {
                assertEquals(each, (ops.memory().liveBytes() - before) / (double) value.size(), 0.001);
                assertEquals(1, optimizer.parameters().size());
            }
            assertEquals(before, ops.memory().liveBytes());
        }
    }

    /// Operations whose tensors are not in the host's memory: what comes from there is copied.
    private static TensorOps distant(TensorOps right, List<String> moved) {
        return (TensorOps) Proxy.newProxyInstance(TensorOps.class.getClassLoader(), new Class<?>[] {TensorOps.class},
                (self, method, arguments) -> {
                    if (method.getName().equals("onHost")) return false;
                    if (method.getName().equals("readBytes")) moved.add(((Tensor) arguments[1]).name());
                    if (method.getName().equals("place")) {
                        Tensor from = (Tensor) arguments[0];
                        Tensor placed = right.allocate(from.name(), from.dtype(), from.shape());
                        right.writeBytes(placed, from.segment());
                        return placed;
                    }
                    try {
                        return method.invoke(right, arguments);
                    } catch (InvocationTargetException thrown) {
                        throw thrown.getCause();
                    }
                });
    }

    private static List<Parameter> parameters(TensorOps ops) {
        List<Parameter> parameters = new ArrayList<>();
        for (int rows : new int[] {400, 300, 500}) {
            Tensor value = ops.allocate("w" + rows, DType.F32, Shape.of(rows, 300));
            ops.write(value, Fixtures.uniform(rows * 300, rows));
            parameters.add(new Parameter("w" + rows, value, true));
            ops.write(parameters.getLast().grad(ops), Fixtures.normal(rows * 300, 1, rows + 1));
        }
        return parameters;
    }

    /// Parameters of fewer than 100,000 elements keep their states where they are.
    @ParameterizedTest
    @ValueSource(strings = {"paged_adamw_8bit", "paged_adamw_32bit", "paged_lion_8bit", "paged_lion_32bit"})
    void pagedStatesLiveOnTheHostAndGiveTheSame(String optim) {
        List<String> moved = new ArrayList<>();
        try (TensorOps near = new CpuOps(2); TensorOps right = new CpuOps(2)) {
            TensorOps far = distant(right, moved);
            List<Parameter> want = parameters(near);
            List<Parameter> got = parameters(far);
            long before = right.memory().liveBytes();
            try (Optimizer whole = Optimizer.of(optim, near, ParamGroups.single(want, 0.1), OptimizerSettings.DEFAULT);
                 Optimizer paged = Optimizer.of(optim, far, ParamGroups.single(got, 0.1), OptimizerSettings.DEFAULT)) {
                long perElement = optim.equals("paged_adamw_32bit") ? 8 : 4;
                assertTrue(right.memory().liveBytes() - before <= perElement * 90_000 + 1000);
                Tensor one = near.allocate("factor", DType.F32, Shape.of(1));
                near.fill(one, 1f);
                for (int t = 0; t < 3; t++) {
                    whole.step(1e-2, one);
                    paged.step(1e-2, one);
                }
                for (int i = 0; i < 3; i++) {
                    assertArrayEquals(near.toFloats(want.get(i).value()), far.toFloats(got.get(i).value()));
                }
                whole.state().forEach((name, tensor) -> assertEquals(-1,
                        tensor.segment().mismatch(paged.state().get(name).segment()), name));
                assertTrue(moved.containsAll(List.of("exp_avg.w400", "exp_avg.w500")) && !moved.contains("exp_avg.w300"));
            }
            assertEquals(before, right.memory().liveBytes());
        }
    }

    @Test
    void unknownNamesAndOptionsAreAnswered() {
        assertRefused("adamw_8bits", "", "unknown optim 'adamw_8bits'; did you mean 'adamw_8bit'? (known: adamw_torch, ");
        assertRefused("galore_adamw", "rnk=3", "unknown galore_adamw option in optim_args 'rnk'; did you mean 'rank'?");
        assertRefused("adamw_torch", "rank=3", "adamw_torch takes no optim_args, but 'rank' is given");
        assertRefused("galore_adamw", "rank=0", "galore_adamw: rank must be at least 1, got 0");
        assertRefused("galore_adamw", "proj_type=left", "galore_adamw: proj_type must be one of std, got left");
        assertRefused("sgd", "momentum=much", "sgd: momentum must be a number, got much");
        assertRefused("sgd", "momentum=-1", "sgd: momentum must be at least 0");
        assertRefused("adafactor", "clip_threshold=0", "adafactor: clip_threshold must be above 0");
        assertThrows(InputException.class, () -> OptimArgs.parse("rank"));
    }

    private static void assertRefused(String optim, String args, String sentence) {
        InputException refusal = assertThrows(InputException.class, () ->
                Optimizer.check(optim, OptimizerSettings.DEFAULT.with(OptimArgs.parse(args))));
        assertTrue(refusal.getMessage().contains(sentence), refusal.getMessage());
    }

    @Test
    void argumentsAreReadAsTransformersWritesThem() {
        assertEquals(Map.of("rank", 64.0, "proj_type", "std", "x", true),
                OptimArgs.parse("rank=64, proj_type = std,x=True,").values());
        assertEquals("rank=64.0, a=std", OptimArgs.parse(OptimArgs.parse("rank=64,a=std").toString()).toString());
    }
}
