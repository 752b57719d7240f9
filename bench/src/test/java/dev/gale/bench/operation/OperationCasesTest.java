package dev.gale.bench.operation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.AuxLoss;
import dev.gale.nn.LayerForm;
import dev.gale.nn.LayerKinds;
import dev.gale.nn.Mixture;
import dev.gale.nn.ModelConfig;
import dev.gale.nn.Multipliers;
import dev.gale.nn.RandomRows;
import dev.gale.nn.RopeConfig;
import dev.gale.nn.Variant;
import dev.gale.tensor.DType;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.OpCount;
import dev.gale.tensor.ops.RouteSpec;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class OperationCasesTest {
    private static final ModelConfig TINY = new ModelConfig("LlamaForCausalLM", 64, 96, 2, 4, 2, 16, 128, 64, 1e-5,
            Activation.SILU, false, false, true, RopeConfig.plain(10000), 1, List.of(2), -1, DType.BF16, 0.02);

    private static final Variant EXPERTS = new Variant(LayerForm.LLAMA, Multipliers.NONE, LayerKinds.ALIKE,
            new Mixture(6, 64, new RouteSpec(2, true, 1f), 0, false, true, List.of(),
                    new AuxLoss(false, 0)), null);
    private static final ModelConfig MIXTURE = new ModelConfig("MixtralForCausalLM", 64, 64, 2, 4, 2, 16, 128, 64, 1e-5,
            Activation.SILU, false, false, true, RopeConfig.plain(10000), 1, List.of(2), -1, DType.BF16, 0.02, EXPERTS);

    static Stream<ModelConfig> shapes() {
        return Stream.of(TINY, MIXTURE);
    }

    /// Every case runs, is the operation that it is named after, and gives back what it took.
    @ParameterizedTest
    @MethodSource("shapes")
    void casesAreOperationsOfTheContract(ModelConfig config) {
        try (TensorOps ops = new CpuOps(); RandomRows rows = Operands.rows(ops)) {
            for (OperationCase one : OperationCases.of(config, 2, 8)) {
                try (Operands operands = new Operands(ops, rows)) {
                    Runnable call = one.prepare().on(operands);
                    call.run();
                    call.run();
                }
                long tables = ops.memory().liveBytes();
                try (Operands operands = new Operands(ops, rows)) {
                    one.prepare().on(operands);
                }
                assertEquals(tables, ops.memory().liveBytes(), one.name());
                OpCount count = OperationBench.count(one, ops);
                assertEquals(one.name().replaceAll(":.*", ""), count.name());
                assertEquals(1, count.calls());
                assertTrue(count.bytes() > 0, one.name());
            }
        }
    }

    @Test
    void workIsThatOfTheShape() {
        try (TensorOps ops = new CpuOps()) {
            OperationCase down = OperationCases.of(TINY, 2, 8).stream().filter(one -> one.name().equals("linearForward:down"))
                    .findFirst().orElseThrow();
            assertEquals(2 * 16 * (96 * 64 + 16 * (96 + 64)), OperationBench.count(down, ops).flops());
            OperationCase experts = OperationCases.of(MIXTURE, 2, 8).stream()
                    .filter(one -> one.name().equals("groupedMatmul:down-nf4-back")).findFirst().orElseThrow();
            assertEquals(2 * (2 * 16) * 64 * 64, OperationBench.count(experts, ops).flops());
            OperationCase adapted = OperationCases.of(MIXTURE, 2, 8).stream()
                    .filter(one -> one.name().equals("groupedLinearBackward:down")).findFirst().orElseThrow();
            assertEquals(2 * (2 * 16) * (64 * 64 + 4 * 16 * 64), OperationBench.count(adapted, ops).flops());
        }
    }
}
