package dev.gale.tensor.testing;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.ShapeException;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// `allocate`, `release`, `place`, `memory`, `write`, `toFloats`, `toInts`, `item`, `close`.
public interface MemoryContract extends Trials {

    @Test
    default void allocationsAreAlignedAndKeepTheirValues() {
        try (TensorOps ops = freshOps()) {
            Tensor[] tensors = new Tensor[200];
            for (int i = 0; i < tensors.length; i++) {
                tensors[i] = ops.allocate("t" + i, DType.F32, Shape.of(i));
                ops.fill(tensors[i], i);
                if (tensors[i].storage() instanceof Storage.Host(MemorySegment segment)) {
                    assertEquals(0, segment.address() % 64, tensors[i].toString());
                }
            }
            for (int i = 0; i < tensors.length; i += 3) ops.release(tensors[i]);
            Tensor large = ops.allocate("large", DType.F32, Shape.of(5 << 20));
            ops.fill(large, -1f);
            for (int i = 1; i < tensors.length; i += 3) {
                for (float value : ops.toFloats(tensors[i])) assertEquals(i, value);
            }
        }
    }

    @Test
    default void aTensorIsReleasedOnceAndOnlyWhereItCameFrom() {
        try (TensorOps ops = freshOps(); TensorOps other = new ReferenceOps(Trial.CHUNK_BYTES)) {
            Tensor tensor = ops.allocate("t", DType.F32, Shape.of(3));
            Tensor foreign = other.allocate("foreign", DType.F32, Shape.of(3));
            ops.release(tensor);
            assertThrows(IllegalStateException.class, () -> ops.release(tensor));
            assertThrows(IllegalStateException.class, () -> ops.release(foreign));
        }
    }

    @Test
    default void aReleasedTensorCanBeRestoredAndNotRead() {
        try (TensorOps ops = freshOps()) {
            Tensor tensor = ops.allocate("t", DType.F32, Shape.of(3));
            assertThrows(IllegalStateException.class, () -> ops.restore(tensor), "it lives");
            ops.release(tensor);
            assertThrows(IllegalStateException.class, () -> ops.toFloats(tensor));
            ops.allocate("in its place", DType.F32, Shape.of(3));
            ops.restore(tensor);
            ops.write(tensor, new float[] {1, 2, 3});
            assertArrayEquals(new float[] {1, 2, 3}, ops.toFloats(tensor));
            ops.release(tensor);
        }
    }

    @Test
    default void memoryFollowsAllocationsAndMatchesAPlan() {
        try (TensorOps ops = freshOps(); TensorOps plan = new NullOps(Trial.CHUNK_BYTES)) {
            for (TensorOps each : new TensorOps[] {ops, plan}) {
                Tensor a = each.allocate("a", DType.F32, Shape.of(1000, 1000));
                each.release(each.allocate("b", DType.BF16, Shape.of(6 << 20)));
                each.resetPeak();
                each.release(each.allocate("c", DType.F32, Shape.of(100)));
                each.allocate("d", DType.U8, Shape.of(0));
                each.release(a);
            }
            assertEquals(plan.memory(), ops.memory());
            assertTrue(ops.memory().liveBytes() <= 64, "only an empty tensor lives");
            assertTrue(ops.memory().peakLiveBytes() >= 4_000_000 && ops.memory().peakLiveBytes() < 4_001_000);
        }
    }

    @Test
    default void placingWhatIsThereAlreadyCopiesNothing() {
        try (TensorOps ops = freshOps()) {
            Tensor tensor = ops.allocate("t", DType.BF16, Shape.of(7));
            assertSame(tensor, ops.place(tensor));
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "BF16", "F16"})
    default void writingRoundsAndReadingIsExact(DType dtype) {
        try (TensorOps ops = freshOps(); TensorOps reference = new ReferenceOps(Trial.CHUNK_BYTES)) {
            Shape shape = Shape.of(ElementwiseContract.EDGES.length);
            Tensor got = ops.allocate("got", dtype, shape);
            Tensor want = reference.allocate("want", dtype, shape);
            ops.write(got, ElementwiseContract.EDGES);
            reference.write(want, ElementwiseContract.EDGES);
            TensorAssert.assertEqual(dtype.name(), reference.toFloats(want), ops.toFloats(got));
            if (dtype == DType.F32) TensorAssert.assertEqual("F32", ElementwiseContract.EDGES, ops.toFloats(got));
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "BF16", "F16"})
    default void aPartIsWrittenWhereItBelongs(DType dtype) {
        try (TensorOps ops = freshOps()) {
            Tensor tensor = ops.allocate("t", dtype, Shape.of(2, 3));
            ops.write(tensor, new float[] {1, 2, 3, 4, 5, 6});
            ops.write(tensor, 2, new float[] {7, 8});
            TensorAssert.assertEqual(dtype.name(), new float[] {1, 2, 7, 8, 5, 6}, ops.toFloats(tensor));
        }
    }

    @Test
    default void intsAndItemsComeBack() {
        try (TensorOps ops = freshOps()) {
            Tensor ints = ops.allocate("ints", DType.I32, Shape.of(3));
            ops.write(ints, new int[] {Integer.MIN_VALUE, -1, Integer.MAX_VALUE});
            assertArrayEquals(new int[] {Integer.MIN_VALUE, -1, Integer.MAX_VALUE}, ops.toInts(ints));
            Tensor one = ops.allocate("one", DType.BF16, Shape.of(1, 1));
            ops.fill(one, 2.5f);
            assertEquals(2.5f, ops.item(one));
            assertThrows(ShapeException.class, () -> ops.item(ints));
            assertThrows(ShapeException.class, () -> ops.toFloats(ints));
            assertThrows(ShapeException.class, () -> ops.toInts(one));
            assertThrows(ShapeException.class, () -> ops.write(ints, new float[3]));
            assertThrows(ShapeException.class, () -> ops.write(ints, new int[2]));
            assertThrows(ShapeException.class, () -> ops.write(one, new float[2]));
            assertThrows(ShapeException.class, () -> ops.write(one, 1, new float[1]));
            assertThrows(ShapeException.class, () -> ops.write(one, -1, new float[1]));
        }
    }

    @Test
    default void closingTwiceIsHarmless() {
        TensorOps ops = freshOps();
        ops.allocate("t", DType.F32, Shape.of(3));
        ops.close();
        ops.close();
    }
}
