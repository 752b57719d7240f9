package dev.gale.tensor.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.ShapeException;
import dev.gale.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class NullOpsTest {
    private final NullOps ops = new NullOps();

    @AfterEach
    void close() {
        ops.close();
    }

    private Tensor f32(int... dims) {
        return ops.allocate("t", DType.F32, Shape.of(dims));
    }

    private Tensor ints(int... values) {
        Tensor tensor = ops.allocate("ids", DType.I32, Shape.of(values.length));
        ops.write(tensor, values);
        return tensor;
    }

    @Test
    void matmulCountsTwoFlopsPerMultiplyAddAndEveryOperandOnce() {
        ops.matmul(f32(3, 5), f32(7, 3), true, f32(7, 5), false, 1f, true);
        assertEquals(new OpCount("matmul", 1, 2 * 3 * 5 * 7, 4 * (2 * 15 + 21 + 35)), ops.counts().get("matmul"));
    }

    @Test
    void sidePathAddsItsTwoProducts() {
        Tensor x = f32(4, 6);
        LowRank side = new LowRank(x, f32(2, 6), f32(3, 2), f32(4, 2), 1f);
        ops.linearForward(f32(4, 3), x, f32(3, 6), null, null, side);
        assertEquals(2 * 4 * (3 * 6 + 2 * 6 + 3 * 2), ops.totalFlops());
        ops.resetCounts();
        ops.linearBackward(f32(4, 6), false, f32(4, 3), f32(3, 6), side,
                new LowRankGrads(f32(2, 6), f32(3, 2), f32(4, 2), null));
        assertEquals(2 * 4 * (3 * 6 + 2 * (3 * 2) + 2 * (2 * 6)), ops.totalFlops());
    }

    @Test
    void withoutYOnlyTheDownProjectionCounts() {
        Tensor x = f32(4, 6);
        Tensor w = f32(3, 6);
        ops.linearForward(null, x, w, null, null, new LowRank(f32(4, 6), f32(2, 6), f32(3, 2), f32(4, 2), 1f));
        assertEquals(new OpCount("linearForward", 1, 2 * 4 * 2 * 6, 4 * (24 + 12 + 8)), ops.counts().get("linearForward"));
        ops.linearForward(null, x, w, null, null, null);
        assertEquals(2 * 4 * 2 * 6, ops.totalFlops());
    }

    @Test
    void attentionCountsVisiblePairsOfTheBatch() {
        AttentionSpec spec = new AttentionSpec(4, 2, 8, 1f, 0f);
        Tensor q = f32(4, 32);
        Tensor k = f32(4, 16);
        ops.attentionForward(f32(4, 32), f32(4, 4), q, k, f32(4, 16), ints(0, 0, 2, 2), ints(1, 2, 3, 4), spec);
        assertEquals(4 * (1 + 2 + 1 + 2) * 32, ops.totalFlops());
        ops.resetCounts();
        Tensor unknown = ops.allocate("start", DType.I32, Shape.of(4));
        ops.attentionForward(f32(4, 32), f32(4, 4), q, k, f32(4, 16), unknown, unknown, spec);
        assertEquals(4 * 4 * 4 * 32, ops.totalFlops());
    }

    @Test
    void lossCountsTrainedRowsOnly() {
        Tensor targets = ints(CrossEntropySpec.IGNORE, 1, 2);
        ops.linearCrossEntropy(f32(2), null, f32(3, 8), null, f32(3, 8), f32(10, 8), targets,
                CrossEntropySpec.chunked(2));
        assertEquals(2 * (2 * 2 * 10 * 8), ops.totalFlops());
    }

    @Test
    void intsAreRememberedUntilReleaseAndFloatsReadAsZero() {
        Tensor ids = ints(3, 1, 2);
        assertArrayEquals(new int[] {3, 1, 2}, ops.toInts(ids));
        ops.fill(ids, 0f);
        assertArrayEquals(new int[3], ops.toInts(ids));
        assertArrayEquals(new float[2], ops.toFloats(f32(2)));
        assertEquals(0f, ops.item(f32(1)));
    }

    @Test
    void wrongShapesAreRefusedLikeEverywhere() {
        assertThrows(ShapeException.class, () -> ops.add(f32(2), f32(2), f32(3)));
        Tensor tensor = f32(2);
        ops.release(tensor);
        assertThrows(IllegalStateException.class, () -> ops.release(tensor));
    }

    @Test
    void memoryIsThatOfARun() {
        try (ReferenceOps run = new ReferenceOps()) {
            for (TensorOps each : new TensorOps[] {ops, run}) {
                Tensor a = each.allocate("a", DType.F32, Shape.of(1 << 20));
                Tensor b = each.allocate("b", DType.BF16, Shape.of(3, 5));
                each.release(a);
                each.allocate("c", DType.F32, Shape.of(5 << 20));
                each.release(b);
            }
            assertEquals(run.memory(), ops.memory());
            assertEquals(new MemoryUse(20 << 20, (20 << 20) + 64, (16 << 20) + (20 << 20), 0), ops.memory());
        }
    }
}
