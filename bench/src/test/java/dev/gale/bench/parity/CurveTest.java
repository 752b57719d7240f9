package dev.gale.bench.parity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.demo.Demo;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CurveTest {
    private static Curve on(TensorOps ops, Function<TensorOps, Curve> run) {
        try (ops) {
            return run.apply(ops);
        }
    }

    @Test
    void theSmallModelLearnsTheSameEverywhere() {
        SmallRun run = new SmallRun(1, 32, 16, 64, 4, 32, 30, 2e-2);
        Curve cpu = on(new CpuOps(), run::run);
        Curve other = on(new ReferenceOps(), run::run);
        assertTrue(cpu.losses().getLast() < cpu.losses().getFirst() - 0.5, cpu::toString);
        assertTrue(cpu.difference(other, cpu.farthest(other)) < 0.01, cpu + "\n" + other);
        assertEquals(cpu, on(new CpuOps(), run::run));
        assertNotEquals(cpu.checksum(), other.checksum());
    }

    @Test
    void theDemoLearnsTheSameTwice(@TempDir Path folder) {
        DemoRun run = DemoRun.in(new Demo(folder), 32, 3);
        Curve first = on(new CpuOps(), run::run);
        assertEquals(3, first.losses().size());
        assertEquals(first, on(new CpuOps(), run::run));
    }

    @Test
    void whatIsNotFiniteDiffers() {
        Curve whole = new Curve(List.of(2.0, 1.0), 1);
        Curve broken = new Curve(List.of(2.0, Double.NaN), 1);
        assertEquals(1, whole.farthest(broken));
        assertEquals(Double.POSITIVE_INFINITY, whole.difference(broken, 1));
        assertEquals(Double.POSITIVE_INFINITY, whole.difference(new Curve(List.of(2.0), 1), 0));
        assertEquals(0.5, whole.difference(new Curve(List.of(1.0, 1.0), 1), 0));
    }
}
