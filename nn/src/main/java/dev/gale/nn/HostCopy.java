package dev.gale.nn;

import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.LongStream;

/// Copies weights in host memory.
final class HostCopy {
    private static final int PIECE = 1 << 18;

    private HostCopy() {}

    /// Writes: `dst =` src with its scales, converted to the dtype of dst; nothing in a plan, where dst has no bytes.
    static void copy(Tensor dst, Tensor src) {
        if (!(dst.storage() instanceof Storage.Host(MemorySegment to))) return;
        MemorySegment from = src.segment();
        if (dst.dtype() == src.dtype()) MemorySegment.copy(from, 0, to, 0, src.byteSize());
        else convert(to, dst.dtype(), from, src.dtype(), src.size());
        if (src.scales() == null) return;
        List<Tensor> scales = src.scales().tensors();
        for (int i = 0; i < scales.size(); i++) copy(dst.scales().tensors().get(i), scales.get(i));
    }

    private static void convert(MemorySegment to, DType toType, MemorySegment from, DType fromType, long size) {
        LongStream.range(0, Math.ceilDiv(size, PIECE)).parallel().forEach(piece -> {
            long end = Math.min(size, (piece + 1) * PIECE);
            for (long i = piece * PIECE; i < end; i++) Convert.set(to, toType, i, Convert.get(from, fromType, i));
        });
    }
}
