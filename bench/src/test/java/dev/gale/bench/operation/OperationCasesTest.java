package dev.gale.bench.operation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.ModelConfig;
import dev.gale.nn.RandomRows;
import dev.gale.nn.RopeConfig;
import dev.gale.tensor.DType;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.OpCount;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;
import org.junit.jupiter.api.Test;

class OperationCasesTest {
    private static final ModelConfig TINY = new ModelConfig("LlamaForCausalLM", 64, 96, 2, 4, 2, 16, 128, 64, 1e-5,
            Activation.SILU, false, false, true, RopeConfig.plain(10000), 1, List.of(2), -1, DType.BF16, 0.02);

    /// Every case runs, is the operation that it is named after, and gives back what it took.
    @Test
    void casesAreOperationsOfTheContract() {
        try (TensorOps ops = new CpuOps(); RandomRows rows = Operands.rows(ops)) {
            for (OperationCase one : OperationCases.of(TINY, 2, 8)) {
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
        }
    }
}
