package dev.gale.bench.parity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.ModelConfig;
import dev.gale.nn.RopeConfig;
import dev.gale.tensor.DType;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import dev.gale.train.SftConfig;
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

    private static LoraRun loraRun(Function<TensorOps, CausalLm> open, int steps) {
        return new LoraRun(open, SftConfig.builder().build(), 4, 32, steps, 2e-2);
    }

    @Test
    void aSmallModelLearnsTheSameEverywhere() {
        ModelConfig config = new ModelConfig("LlamaForCausalLM", 32, 96, 1, 2, 1, 16, 64, 32, 1e-5, Activation.SILU, false,
                false, true, RopeConfig.plain(10000), 1, List.of(2), -1, DType.BF16, 0.06);
        LoraRun run = loraRun(ops -> CausalLm.random(config, 1, DType.BF16, ops), 30);
        Curve cpu = on(new CpuOps(), run::run);
        Curve other = on(new ReferenceOps(), run::run);
        assertTrue(cpu.losses().getLast() < cpu.losses().getFirst() - 0.5, cpu::toString);
        assertTrue(cpu.difference(other, cpu.farthest(other)) < 0.01, cpu + "\n" + other);
        assertEquals(cpu, on(new CpuOps(), run::run));
        assertNotEquals(cpu.checksum(), other.checksum());
    }

    @Test
    void aModelFolderLearns(@TempDir Path folder) {
        Demo demo = new Demo(folder);
        demo.unpackBase();
        LoadOptions options = LoadOptions.defaults().withQuantization(Quantization.NF4);
        Curve curve = on(new CpuOps(), loraRun(ops -> CausalLm.load(demo.base(), options, ops), 4)::run);
        assertTrue(curve.losses().getLast() < curve.losses().getFirst() - 0.5, curve::toString);
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
