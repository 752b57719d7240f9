package dev.gale.kernels.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Kept;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.MemoryUse;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.ops.WeightStream;
import dev.gale.tensor.quant.Quantization;
import dev.gale.tensor.testing.Fixtures;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;

/// Tensors and weights that wait in host memory while a device works on others.
class OffloadTest {
    private static final int CHUNK = 1 << 16;
    private static final int WIDTH = 16;

    private final TornadoOps ops = on(DeviceLink.of(
            new Device(TornadoExecutionPlan.getDevice(0, 0), new KernelContext(), false)));

    private static TornadoOps on(DeviceLink link) {
        return new TornadoOps(link, Abilities.NONE, CHUNK);
    }

    @AfterEach
    void close() {
        ops.close();
    }

    private static Tensor values(TensorOps ops, int seed, int... dims) {
        Tensor tensor = ops.allocate("values", DType.F32, Shape.of(dims));
        ops.write(tensor, Fixtures.uniform((int) tensor.size(), seed));
        return tensor;
    }

    private static void somethingRuns(TensorOps ops) {
        Tensor other = ops.allocate("other", DType.F32, Shape.of(3));
        ops.fill(other, 1f);
        ops.border();
        ops.release(other);
    }

    @Test
    void anOffloadedTensorGivesItsMemoryBackAndComesBackTheSame() {
        long before = ops.memory().liveBytes();
        Tensor tensor = values(ops, 1, 100, 3);
        float[] expected = ops.toFloats(tensor);
        ops.border();
        ops.offload(tensor);
        somethingRuns(ops);
        assertArrayEquals(expected, ops.toFloats(tensor));                     // still here
        ops.evict(tensor);
        assertEquals(before, ops.memory().liveBytes());
        assertTrue(ops.memory().hostBytes() >= tensor.byteSize());
        Tensor instead = values(ops, 2, 100, 3);                               // takes its place
        ops.prefetch(tensor);
        somethingRuns(ops);
        ops.fetch(tensor);
        ops.fetch(tensor);
        assertArrayEquals(expected, ops.toFloats(tensor));
        ops.release(instead);
        ops.release(tensor);
        assertEquals(before, ops.memory().liveBytes());
    }

    @Test
    void aTensorMayEndOnItsWay() {
        long before = ops.memory().liveBytes();
        List<Consumer<Tensor>> ways = List.of(tensor -> {}, ops::evict, tensor -> {
            ops.evict(tensor);
            ops.prefetch(tensor);
        }, ops::prefetch);
        for (Consumer<Tensor> way : ways) {
            Tensor tensor = values(ops, 1, 8);
            ops.offload(tensor);
            way.accept(tensor);
            ops.release(tensor);
            assertEquals(before, ops.memory().liveBytes());
            assertThrows(IllegalStateException.class, () -> ops.release(tensor));
        }
        Tensor twice = values(ops, 1, 8);
        ops.offload(twice);
        assertThrows(IllegalStateException.class, () -> ops.offload(twice));
        ops.fetch(twice);
        assertThrows(IllegalStateException.class, () -> ops.evict(twice));
    }

    private static float[] gradient(TensorOps ops, boolean offload, boolean tiled) {
        Parameter table = Parameter.frozen("table", values(ops, 1, 7, WIDTH));
        Parameter norm = Parameter.frozen("norm", values(ops, 2, WIDTH));
        Parameter w = Parameter.frozen("w", values(ops, 3, WIDTH, WIDTH));
        w.setTrainable(true);
        Tensor ids = ops.allocate("ids", DType.I32, Shape.of(5));
        ops.write(ids, new int[] {0, 6, 3, 3, 1});
        ops.fill(w.grad(ops), 0f);
        try (Tape tape = Tape.recording(ops)) {
            Tensor x = F.embedding(tape, table, ids);
            for (int i = 0; i < 4; i++) {
                Tensor before = x;
                x = tape.checkpoint((t, in) -> tiled ? t.tiled(part -> (s, rows) -> layer(s, rows, norm, w), in, List.of(w), 2)
                        : layer(t, in, norm, w), before, new Kept(false, offload));
                tape.done(before);
            }
            ops.write(tape.rootGradient(x), Fixtures.uniform((int) x.size(), 9));
            tape.backward();
        }
        float[] gradient = ops.toFloats(w.grad(ops));
        w.releaseGrad(ops);
        List.of(table.value(), norm.value(), w.value(), ids).forEach(ops::release);
        return gradient;
    }

    private static Tensor layer(Tape tape, Tensor x, Parameter norm, Parameter w) {
        Tensor normed = F.rmsNorm(tape, x, norm, 1e-5f);
        Tensor y = F.linear(tape, normed, w, null, x, null, null);
        tape.done(normed);
        return y;
    }

    @Test
    void gradientsAreThoseOfAPassThatKeepsAllHereAndAPlanTakesTheSameMemory() {
        float[] expected = gradient(ops, false, false);
        assertArrayEquals(expected, gradient(ops, true, false));
        assertArrayEquals(expected, gradient(ops, true, true), 1e-5f);         // sums in another order
        assertEquals(0, ops.memory().liveBytes());
        MemoryUse ran = ops.memory();
        try (TornadoOps planned = on(DeviceLink.planned())) {
            gradient(planned, false, false);
            gradient(planned, true, false);
            gradient(planned, true, true);
            assertEquals(ran, planned.memory());
        }
    }

    private static List<List<Tensor>> pieces(TensorOps ops, int count) {
        List<List<Tensor>> pieces = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Tensor source = values(ops, i, 64, WIDTH);
            Tensor few = ops.allocateOnHost("few bits", i % 2 == 0 ? Quantization.NF4_NESTED : Quantization.INT8,
                    source.shape());
            ops.quantize(few, source);
            Tensor dense = ops.allocateOnHost("dense", DType.F32, Shape.of(3 + i));
            ops.writeBytes(dense, MemorySegment.ofArray(Fixtures.uniform(3 + i, 100 + i)));
            pieces.add(List.of(few, dense));
            ops.release(source);
        }
        return pieces;
    }

    private static float[] dequantized(TensorOps ops, Tensor q) {
        Tensor dense = ops.allocate("dense", DType.F32, q.shape());
        ops.dequantize(dense, q);
        float[] values = ops.toFloats(dense);
        ops.release(dense);
        return values;
    }

    @Test
    void weightsTakeTurnsInTwoSlots() {
        List<List<Tensor>> pieces = pieces(ops, 4);
        List<float[]> expected = new ArrayList<>();
        for (List<Tensor> piece : pieces) {
            Tensor here = ops.place(piece.getFirst());
            expected.add(dequantized(ops, here));
            ops.release(here);
        }
        long before = ops.memory().liveBytes();
        WeightStream stream = ops.stream(pieces);
        for (int piece : new int[] {0, 1, 2, 3, 3, 2, 1, 0, 0, 1, 2, 3, 0, 2}) {
            stream.enter(piece);
            assertArrayEquals(expected.get(piece), dequantized(ops, pieces.get(piece).getFirst()));
            assertArrayEquals(Fixtures.uniform(3 + piece, 100 + piece), ops.toFloats(pieces.get(piece).getLast()));
            long here = pieces.stream().filter(p -> !DeviceOps.isOnHost(p.getFirst())).count();
            assertTrue(here <= 2, here + " pieces are on the device");
            ops.border();
        }
        stream.leave();
        assertEquals(before, ops.memory().liveBytes());
        pieces.forEach(piece -> assertTrue(piece.getFirst().storage() instanceof Storage.Host));
        stream.enter(1);
        assertArrayEquals(expected.get(1), dequantized(ops, pieces.get(1).getFirst()));
        stream.close();
        pieces.forEach(piece -> piece.forEach(ops::release));
        assertThrows(IllegalStateException.class, () -> ops.release(pieces.getFirst().getFirst()));
    }

    @Test
    void aSinglePieceHasOneSlot() {
        List<List<Tensor>> piece = pieces(ops, 1);
        WeightStream stream = ops.stream(piece);
        long before = ops.memory().liveBytes();
        stream.prepare(0);
        stream.enter(0);
        assertFalse(DeviceOps.isOnHost(piece.getFirst().getFirst()));
        stream.leave();
        stream.leave();
        assertEquals(before, ops.memory().liveBytes());
    }

    @Test
    void rowsOfATableOnTheHostAreThoseOfOneOnTheDevice() {
        Tensor table = values(ops, 4, 9, 6);
        Tensor waiting = ops.allocateOnHost("table", DType.F32, table.shape());
        ops.readBytes(waiting.segment().asSlice(0, table.byteSize()), table);
        Tensor ids = ops.allocate("ids", DType.I32, Shape.of(4));
        ops.write(ids, new int[] {8, 0, 3, 8});
        Tensor expected = ops.allocate("y", DType.F32, Shape.of(4, 6));
        Tensor found = ops.allocate("y", DType.F32, Shape.of(4, 6));
        ops.gatherRows(expected, table, ids);
        ops.gatherRows(found, waiting, ids);
        assertArrayEquals(ops.toFloats(expected), ops.toFloats(found));
    }

    @Test
    void moreThanTheLimitIsRefused() {
        ops.limitMemory(2L * CHUNK);
        ops.allocate("one", DType.U8, Shape.of(CHUNK));
        ops.allocate("two", DType.U8, Shape.of(CHUNK));
        assertThrows(InputException.class, () -> ops.allocate("three", DType.U8, Shape.of(64)));
    }
}
