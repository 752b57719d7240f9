package dev.gale.kernels.runtime;

import dev.gale.kernels.Elements;
import dev.gale.kernels.Nf4Kernels;
import dev.gale.tensor.DType;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.quant.Codec;
import dev.gale.tensor.quant.Scales;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Consumer;

/// Weights of few bits: made on the host, and made dense again on the device for each product.
final class QuantizedWeights {
    private final TornadoOps ops;

    QuantizedWeights(TornadoOps ops) {
        this.ops = ops;
    }

    /// Runs a product with w or, if w is quantized, with w in the dtype of activations. Products read it where it begins its
    /// chunk, so all weights of a shape take turns in one.
    ///
    /// @param reads whether the product reads the elements of w
    void multiply(Tensor w, boolean reads, Consumer<Tensor> product) {
        if (!reads || !w.dtype().quantized()) {
            product.accept(w);
            return;
        }
        Tensor dense = ops.allocateAlone("dense", ops.activationType(), w.shape());
        dequantize(dense, w);
        product.accept(dense);
        ops.release(dense);
    }

    void dequantize(Tensor y, Tensor q) {
        int n = Math.toIntExact(q.size());
        if (n == 0) return;
        Tensor absmax = q.scales().absmax();
        if (q.dtype() == DType.I8) {
            int cols = q.cols();
            ops.launch("dequantizeBytes", Grid.groups(Math.ceilDiv(n, Elements.BLOCK), Elements.GROUP), List.of(cols, n),
                    (graph, id, a) -> graph.task(id, Nf4Kernels::dequantizeBytes, a.context(), a.table(), a.slot(), a.floats(0),
                            a.halves(0), a.type(0), a.ints(1), a.floats(2), cols, n), y, q, absmax);
            return;
        }
        if (y.dtype() == DType.BF16) {
            toBf16(y, q, Several.ONE);
            return;
        }
        Tensor factors = q.scales().nested();
        int form = form(q);
        ops.launch("dequantize", Grid.groups(Math.ceilDiv(n, Elements.BLOCK), Elements.GROUP), List.of(form, n),
                (graph, id, a) -> graph.task(id, Nf4Kernels::dequantize, a.context(), a.table(), a.slot(), a.floats(0),
                        a.halves(0), a.type(0), a.halves(1), a.floats(2), a.ints(2), a.floats(3), form, n),
                y, q, absmax, factors == null ? absmax : factors);
    }

    private static int form(Tensor q) {
        int scales = q.scales().nested() == null ? Nf4Kernels.PLAIN : Nf4Kernels.NESTED;
        return scales + (q.dtype() == DType.FP4 ? Nf4Kernels.FP4 : 0);
    }

    /// Weights that follow each other.
    ///
    /// @param codes  bytes from the codes of one to those of the next, as absmax and nested
    private record Several(int count, long codes, long absmax, long nested) {
        static final Several ONE = new Several(1, 0, 0, 0);
    }

    /// `dequantize` of 4-bit weights of one shape into BF16 matrices that lie one behind the other: weights at equal distances
    /// take one launch.
    ///
    /// @param dense the first elements of each
    void dequantizeAll(List<Tensor> dense, List<Tensor> q) {
        for (int i = 0; i < q.size();) {
            int count = 1;
            Several next = i + 1 < q.size() ? distances(q.get(i), q.get(i + 1)) : null;
            while (next != null && i + count < q.size()
                    && next.equals(distances(q.get(i + count - 1), q.get(i + count)))) count++;
            toBf16(dense.get(i), q.get(i), count == 1 ? Several.ONE
                    : new Several(count, next.codes, next.absmax, next.nested));
            i += count;
        }
    }

    /// From a weight to the next one, null where they have to go apart.
    private static Several distances(Tensor from, Tensor to) {
        if (from.dtype() != to.dtype() || (from.scales().nested() == null) != (to.scales().nested() == null)) return null;
        boolean nested = from.scales().nested() != null;
        Long codes = distance(from, to);
        Long absmax = distance(from.scales().absmax(), to.scales().absmax());
        Long factors = nested ? distance(from.scales().nested(), to.scales().nested()) : Long.valueOf(0);
        return codes == null || absmax == null || factors == null ? null : new Several(2, codes, absmax, factors);
    }

    /// In bytes; null across chunks.
    private static Long distance(Tensor from, Tensor to) {
        DeviceStorage first = DeviceStorage.of(from);
        DeviceStorage second = DeviceStorage.of(to);
        return first.chunk() == second.chunk() ? second.offset() - first.offset() : null;
    }

    private void toBf16(Tensor y, Tensor q, Several several) {
        int n = Math.toIntExact(q.size());
        Tensor absmax = q.scales().absmax();
        Tensor factors = q.scales().nested();
        int form = form(q);
        int codes = Math.toIntExact(several.codes / 4);
        int scales = Math.toIntExact(several.absmax / 4);
        int nested = Math.toIntExact(several.nested / 4);
        Grid grid = new Grid(Math.ceilDiv(n, Nf4Kernels.BF16_BLOCK), several.count, Elements.GROUP, 1);
        ops.launch("dequantizeBf16", grid, List.of(form, n, codes, scales, nested), (graph, id, a) -> graph.task(id,
                Nf4Kernels::dequantizeBf16, a.context(), a.table(), a.slot(), a.longs(0), a.halves(1), a.floats(2), a.ints(2),
                a.floats(3), form, n, codes, scales, nested), y, q, absmax, factors == null ? absmax : factors);
    }

    /// On the host, which has the weight already when a model is opened; one weight's memory there at a time.
    void quantize(Tensor q, Tensor src) {
        if (!ops.computes()) return;
        try (Arena arena = Arena.ofShared()) {
            MemorySegment bytes = src.storage() instanceof Storage.Host(MemorySegment segment) ? segment
                    : ops.download(src, arena);
            Tensor onHost = q.storage() instanceof Storage.Host ? q
                    : new Tensor(q.name(), q.dtype(), q.shape(), host(q, arena), scales(q.scales(), arena));
            Codec.quantize(onHost, new Tensor(src.name(), src.dtype(), src.shape(), new Storage.Host(bytes)));
            if (onHost != q) ops.uploadAll(q, onHost);
        }
    }

    private static Scales scales(Scales scales, Arena arena) {
        return new Scales(hostCopy(scales.absmax(), arena), scales.nested() == null ? null : hostCopy(scales.nested(), arena));
    }

    private static Tensor hostCopy(Tensor tensor, Arena arena) {
        return new Tensor(tensor.name(), tensor.dtype(), tensor.shape(), host(tensor, arena));
    }

    private static Storage host(Tensor tensor, Arena arena) {
        return new Storage.Host(arena.allocate(tensor.byteSize(), 8));
    }
}
