package dev.gale.kernels.runtime;

import dev.gale.kernels.LookupKernels;
import dev.gale.kernels.LossKernels;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.CrossEntropySpec;
import java.util.List;

/// Head and loss, a chunk of rows at a time.
final class Losses {
    private final DeviceOps ops;
    private final Products products;

    Losses(DeviceOps ops, Products products) {
        this.ops = ops;
        this.products = products;
    }

    void linearCrossEntropy(Tensor stats, Tensor tokenLoss, Tensor dx, Tensor dw, Tensor dBias, Tensor x, Tensor w, Tensor bias,
                            Tensor targets, Tensor gradScale, CrossEntropySpec spec) {
        int rows = x.rows();
        if (rows == 0) return;
        List<Shape> shapes = spec.scratch(x, w);
        DType dtype = products.prefersBf16(x, w) ? DType.BF16 : DType.F32;
        Tensor logits = ops.allocate("logits", dtype, shapes.get(0));
        Tensor hidden = ops.allocate("trained rows", dtype, shapes.get(1));
        Tensor wanted = shapes.size() > 2 ? ops.allocate("wanted logits", dtype, shapes.get(2)) : null;
        Tensor losses = ops.allocate("losses", DType.F32, Shape.of(2, logits.rows()));
        int chunks = Math.ceilDiv(rows, logits.rows());
        for (int i = 0; i < chunks; i++) {
            int from = (int) ((long) rows * i / chunks);
            int count = (int) ((long) rows * (i + 1) / chunks) - from;
            chunk(stats, slice(tokenLoss, from, count), slice(dx, from, count), dw, dBias, slice(x, from, count), w, bias,
                    slice(targets, from, count), first(logits, count), first(hidden, count), first(wanted, count),
                    losses, gradScale, spec);
        }
        ops.release(losses);
        if (wanted != null) ops.release(wanted);
        ops.release(hidden);
        ops.release(logits);
    }

    private void chunk(Tensor stats, Tensor tokenLoss, Tensor dx, Tensor dw, Tensor dBias, Tensor x, Tensor w, Tensor bias,
                       Tensor targets, Tensor logits, Tensor hidden, Tensor wanted, Tensor losses, Tensor gradScale,
                       CrossEntropySpec spec) {
        masked(hidden, x, targets);
        if (bias != null) products.forward(logits, hidden, w, bias, null, null);
        else products.matmul(logits, new Products.Operand(hidden, false), new Products.Operand(w, true), spec.scale(), false);
        rows(logits, targets, losses, tokenLoss, gradScale, spec, dx != null || dw != null || dBias != null);
        int count = logits.rows();
        ops.launch("addLosses", Grid.groups(2, LossKernels.GROUP), List.of(count), (graph, id, a) -> graph.task(id,
                LossKernels::addLosses, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), count), stats, losses);
        if (dBias != null) ops.columnSum(dBias, logits);
        if (dw != null && wanted != null) columns(wanted, logits, spec.rows());
        Tensor dLogits = wanted == null ? logits : wanted;
        if (dw != null) products.matmul(dw, new Products.Operand(dLogits, true), new Products.Operand(hidden, false), 1f, true);
        if (dx == null) return;
        products.matmul(dx, new Products.Operand(logits, false), new Products.Operand(w, false), 1f, false);
        masked(dx, dx, targets);                 // a weight that is not finite must not reach rows that are not trained
    }

    private void rows(Tensor logits, Tensor targets, Tensor losses, Tensor tokenLoss, Tensor gradScale, CrossEntropySpec spec,
                      boolean backward) {
        int count = logits.rows();
        int vocab = logits.cols();
        int gradients = backward ? 1 : 0;
        int perToken = tokenLoss == null ? 0 : 1;
        int scaled = gradScale == null ? 0 : 1;
        float scale = spec.scale();
        float softcap = spec.softcap();
        Tensor perTokenOrAny = tokenLoss == null ? losses : tokenLoss;
        Tensor gradScaleOrAny = gradScale == null ? losses : gradScale;
        List<Number> constants = List.of(count, vocab, scale, softcap, gradients, perToken, scaled);
        if (logits.dtype() == DType.BF16) {
            ops.launch("crossEntropyRowsBf16", Grid.groups(count, LossKernels.WIDE),
                    constants, (graph, id, a) -> graph.task(id, LossKernels::crossEntropyRowsBf16, a.context(), a.table(),
                            a.slot(), a.longs(0), a.ints(1), a.floats(2), a.floats(3), a.floats(4), count, vocab, scale,
                            softcap, gradients, perToken, scaled),
                    logits, targets, losses, perTokenOrAny, gradScaleOrAny);
            return;
        }
        ops.launch("crossEntropyRows", Grid.groups(count, LossKernels.GROUP),
                constants, (graph, id, a) -> graph.task(id, LossKernels::crossEntropyRows, a.context(), a.table(), a.slot(),
                        a.floats(0), a.ints(1), a.floats(2), a.floats(3), a.floats(4), count, vocab, scale, softcap, gradients,
                        perToken, scaled),
                logits, targets, losses, perTokenOrAny, gradScaleOrAny);
    }

    private void masked(Tensor y, Tensor x, Tensor targets) {
        int rows = x.rows();
        int cols = x.cols();
        int yType = Launch.type(y.dtype());
        int xType = Launch.type(x.dtype());
        ops.launch("maskedRows", Grid.threads((long) rows * cols, LossKernels.GROUP), List.of(rows, cols),
                (graph, id, a) -> graph.task(id, LossKernels::maskedRows, a.context(), a.table(), a.slot(), a.floats(0),
                        a.halves(0), a.floats(1), a.halves(1), a.ints(2), yType, xType, rows, cols), y, x, targets);
    }

    private void columns(Tensor y, Tensor x, Tensor ids) {
        int n = Math.toIntExact(y.size());
        int count = y.cols();
        int cols = x.cols();
        ops.launch("gatherColumns", Grid.threads(n, LossKernels.GROUP), List.of(n, count, cols),
                (graph, id, a) -> graph.task(id, LookupKernels::gatherColumns, a.context(), a.table(), a.slot(), a.floats(0),
                        a.halves(0), a.floats(1), a.halves(1), a.type(1), a.ints(2), n, count, cols), y, x, ids);
    }

    private Tensor slice(Tensor tensor, int from, int count) {
        return tensor == null ? null : ops.rows(tensor, from, count);
    }

    private Tensor first(Tensor matrix, int rows) {
        return slice(matrix, 0, rows);
    }
}
