package dev.gale.kernels.runtime;

import dev.gale.kernels.AdafactorKernels;
import dev.gale.kernels.Elements;
import dev.gale.kernels.Optim8bitKernels;
import dev.gale.kernels.OptimKernels;
import dev.gale.kernels.Reduce;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Quantized8;
import dev.gale.tensor.quant.Dynamic8;
import java.util.Arrays;
import java.util.List;

/// The updates of optimizers beside AdamW.
final class Updates {
    private static final int WORD = 4;

    private final DeviceOps ops;
    private Tensor values;                           // of 8-bit codes, from the first update that has some

    Updates(DeviceOps ops) {
        this.ops = ops;
    }

    private static Grid each(int n) {
        return Grid.threads(n, Elements.GROUP);
    }

    void lion(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor) {
        int n = Math.toIntExact(param.size());
        if (n == 0) return;
        ops.launchRange("lion", List.of(), n, 3, (count, t) -> ops.launch("lion", each(count), List.of(count),
                (graph, id, a) -> graph.task(id, OptimKernels::lion, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1),
                        a.floats(2), a.floats(3), a.floats(4), count), t), param, grad, m, hyper, factor);
    }

    void sgd(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor) {
        int n = Math.toIntExact(param.size());
        if (n == 0) return;
        int momentum = m == null ? 0 : 1;
        ops.launchRange("sgd", List.of(momentum), n, 3, (count, t) -> ops.launch("sgd", each(count), List.of(momentum, count),
                (graph, id, a) -> graph.task(id, OptimKernels::sgd, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1),
                        a.floats(2), a.floats(3), a.floats(4), momentum, count), t),
                param, grad, m == null ? param : m, hyper, factor);
    }

    void scheduleFreeAdamW(Tensor y, Tensor grad, Tensor z, Tensor v, Tensor hyper, Tensor factor) {
        int n = Math.toIntExact(y.size());
        if (n == 0) return;
        ops.launchRange("scheduleFreeAdamW", List.of(), n, 4, (count, t) -> ops.launch("scheduleFreeAdamW", each(count),
                List.of(count), (graph, id, a) -> graph.task(id, OptimKernels::scheduleFreeAdamW, a.context(), a.table(),
                        a.slot(), a.floats(0), a.floats(1), a.floats(2), a.floats(3), a.floats(4), a.floats(5), count), t),
                y, grad, z, v, hyper, factor);
    }

    void adafactor(Tensor param, Tensor grad, Tensor rows, Tensor cols, Tensor hyper, Tensor factor) {
        int n = Math.toIntExact(param.size());
        if (n == 0) return;
        int form = cols == null ? AdafactorKernels.VECTOR : AdafactorKernels.MATRIX;
        int width = param.cols();
        Tensor sums = ops.allocate("mean of rows and sum of changes", DType.F32, Shape.of(2));
        ops.fill(sums, 0f);
        if (form == AdafactorKernels.MATRIX) factoredMoments(grad, rows, cols, hyper, factor, sums);
        else elementMoments(grad, rows, hyper, factor, n);
        Tensor columns = cols == null ? rows : cols;
        int groups = OptimKernels.squareGroups(n);
        Tensor partial = ops.allocate("partial", DType.F32, Shape.of(groups));
        ops.launch("partialChanges", Grid.groups(groups, Elements.GROUP), List.of(form, n, width, groups),
                (graph, id, a) -> graph.task(id, AdafactorKernels::partialChanges, a.context(), a.table(), a.slot(),
                        a.floats(0), a.floats(1), a.floats(2), a.floats(3), a.floats(4), a.floats(5), form, n, width, groups),
                partial, sums, grad, rows, columns, factor);
        ops.launch("addPartials", Grid.groups(1, Elements.GROUP), List.of(groups), (graph, id, a) -> graph.task(id,
                OptimKernels::addPartials, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), groups),
                second(sums), partial);
        ops.launch("adafactor", each(n), List.of(form, n, width), (graph, id, a) -> graph.task(id,
                AdafactorKernels::adafactor, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), a.floats(2),
                a.floats(3), a.floats(4), a.floats(5), a.floats(6), form, n, width),
                param, sums, grad, rows, columns, factor, hyper);
        ops.release(partial);
        ops.release(sums);
    }

    private void factoredMoments(Tensor grad, Tensor rows, Tensor cols, Tensor hyper, Tensor factor, Tensor sums) {
        int height = grad.rows();
        int width = grad.cols();
        ops.launch("rowMoments", Grid.groups(height, Elements.GROUP), List.of(width), (graph, id, a) -> graph.task(id,
                AdafactorKernels::rowMoments, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), a.floats(2),
                a.floats(3), width), rows, grad, hyper, factor);
        ops.launch("columnMoments", Grid.groups(Math.ceilDiv(width, Reduce.COLUMNS), Elements.GROUP), List.of(height, width),
                (graph, id, a) -> graph.task(id, AdafactorKernels::columnMoments, a.context(), a.table(), a.slot(), a.floats(0),
                        a.floats(1), a.floats(2), a.floats(3), height, width), cols, grad, hyper, factor);
        ops.launch("rowsMean", Grid.groups(1, Elements.GROUP), List.of(height), (graph, id, a) -> graph.task(id,
                AdafactorKernels::rowsMean, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), height), sums, rows);
    }

    private void elementMoments(Tensor grad, Tensor moments, Tensor hyper, Tensor factor, int n) {
        ops.launch("elementMoments", each(n), List.of(n), (graph, id, a) -> graph.task(id,
                AdafactorKernels::elementMoments, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), a.floats(2),
                a.floats(3), n),
                moments, grad, hyper, factor);
    }

    /// Element 1 of a tensor of two.
    private static Tensor second(Tensor pair) {
        DeviceStorage storage = DeviceStorage.of(pair);
        return new Tensor(pair.name(), pair.dtype(), Shape.of(1),
                new DeviceStorage(storage.chunk(), storage.offset() + pair.dtype().bytes()));
    }

    void adamW8bit(Tensor param, Tensor grad, Quantized8 m, Quantized8 v, Tensor hyper, Tensor factor) {
        int n = Math.toIntExact(param.size());
        if (n == 0) return;
        ops.launchBlocks("adamW8bit", n, new int[] {1, 1, WORD, Dynamic8.BLOCK, WORD, Dynamic8.BLOCK}, (count, t) ->
                ops.launch("adamW8bit", each(count), List.of(count), (graph, id, a) -> graph.task(id,
                        Optim8bitKernels::adamW8bit, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), a.ints(2),
                        a.floats(3), a.ints(4), a.floats(5), a.floats(6), a.floats(7), a.floats(8), count), t),
                param, grad, words(m.codes()), m.absmax(), words(v.codes()), v.absmax(), hyper, factor, values());
    }

    void lion8bit(Tensor param, Tensor grad, Quantized8 m, Tensor hyper, Tensor factor) {
        int n = Math.toIntExact(param.size());
        if (n == 0) return;
        ops.launchBlocks("lion8bit", n, new int[] {1, 1, WORD, Dynamic8.BLOCK}, (count, t) ->
                ops.launch("lion8bit", each(count), List.of(count), (graph, id, a) -> graph.task(id, Optim8bitKernels::lion8bit,
                        a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), a.ints(2), a.floats(3), a.floats(4),
                        a.floats(5), a.floats(6), count), t),
                param, grad, words(m.codes()), m.absmax(), hyper, factor, values());
    }

    /// Codes as words of four: offsets of bytes would not fit into the table.
    private static Tensor words(Tensor codes) {
        int words = Math.toIntExact(Math.ceilDiv(codes.size(), WORD));
        return new Tensor(codes.name(), DType.I32, Shape.of(words), codes.storage());
    }

    private Tensor values() {
        if (values == null) {
            float[] signed = Dynamic8.signed();
            float[] both = Arrays.copyOf(signed, 2 * Dynamic8.CODES);
            System.arraycopy(Dynamic8.unsigned(), 0, both, Dynamic8.CODES, Dynamic8.CODES);
            values = ops.allocate("values of 8-bit codes", DType.F32, Shape.of(both.length));
            ops.write(values, both);
        }
        return values;
    }
}
