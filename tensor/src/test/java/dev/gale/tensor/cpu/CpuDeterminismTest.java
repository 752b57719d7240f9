package dev.gale.tensor.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.testing.Fixtures;
import java.util.Arrays;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/// One thread and five give the same bits, at sizes that are cut into many tasks.
class CpuDeterminismTest {
    private static void assertSameBits(Function<CpuOps, float[]> run) {
        float[] want;
        try (CpuOps one = new CpuOps(1)) {
            want = run.apply(one);
        }
        try (CpuOps five = new CpuOps(5)) {
            for (int round = 0; round < 3; round++) assertArrayEquals(want, run.apply(five));
        }
    }

    private static Tensor tensor(CpuOps ops, int seed, int... dims) {
        Tensor tensor = ops.allocate("t" + seed, DType.F32, Shape.of(dims));
        ops.write(tensor, Fixtures.uniform(Math.toIntExact(tensor.size()), seed));
        return tensor;
    }

    @Test
    void productsDoNotDependOnTheNumberOfThreads() {
        assertSameBits(ops -> {
            Tensor c = ops.allocate("c", DType.F32, Shape.of(203, 517));
            ops.matmul(c, tensor(ops, 1, 203, 700), false, tensor(ops, 2, 517, 700), true, 1f, false);
            return ops.toFloats(c);
        });
    }

    @Test
    void attentionDoesNotDependOnTheNumberOfThreads() {
        AttentionSpec spec = new AttentionSpec(6, 2, 40, 0.2f, 0f);
        int m = 333;
        int[] stops = new int[m];
        Arrays.setAll(stops, i -> i + 1);
        assertSameBits(ops -> {
            Tensor q = tensor(ops, 1, m, 240), k = tensor(ops, 2, m, 80), v = tensor(ops, 3, m, 80),
                    dO = tensor(ops, 4, m, 240);
            Tensor o = tensor(ops, 5, m, 240), lse = tensor(ops, 5, 6, m);
            Tensor dq = tensor(ops, 5, m, 240), dk = tensor(ops, 5, m, 80), dv = tensor(ops, 5, m, 80);
            Tensor start = ops.allocate("start", DType.I32, Shape.of(m)), stop = ops.allocate("stop", DType.I32, Shape.of(m));
            ops.write(start, new int[m]);
            ops.write(stop, stops);
            ops.attentionForward(o, lse, q, k, v, start, stop, spec);
            ops.attentionBackward(dq, dk, dv, dO, q, k, v, o, lse, start, stop, spec);
            float[] all = new float[m * 640];
            int at = 0;
            for (Tensor part : new Tensor[] {o, dq, dk, dv}) {
                float[] values = ops.toFloats(part);
                System.arraycopy(values, 0, all, at, values.length);
                at += values.length;
            }
            return all;
        });
    }

    @Test
    void sumsDoNotDependOnTheNumberOfThreads() {
        int[] targets = new int[97];
        Arrays.setAll(targets, i -> i % 4 == 0 ? CrossEntropySpec.IGNORE : i * 7 % 900);
        assertSameBits(ops -> {
            Tensor x = tensor(ops, 1, 97, 130), w = tensor(ops, 2, 900, 130), dx = tensor(ops, 3, 97, 130);
            Tensor target = ops.allocate("targets", DType.I32, Shape.of(97));
            ops.write(target, targets);
            Tensor stats = ops.allocate("stats", DType.F32, Shape.of(2)), sum = ops.allocate("sum", DType.F32, Shape.of(1));
            ops.fill(stats, 0f);
            ops.fill(sum, 0f);
            ops.linearCrossEntropy(stats, null, dx, null, x, w, target, CrossEntropySpec.chunked(32));
            ops.sumSquares(sum, w);
            float[] all = Arrays.copyOf(ops.toFloats(dx), 97 * 130 + 3);
            System.arraycopy(ops.toFloats(stats), 0, all, 97 * 130, 2);
            all[97 * 130 + 2] = ops.item(sum);
            return all;
        });
    }
}
