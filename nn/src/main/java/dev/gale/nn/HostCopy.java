package dev.gale.nn;

import dev.gale.tensor.Convert;
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
        LongStream.range(0, Math.ceilDiv(src.size(), PIECE)).parallel().map(piece -> piece * PIECE).forEach(first ->
                Convert.copy(to, dst.dtype(), first, from, src.dtype(), first, Math.min(PIECE, src.size() - first)));
        if (src.scales() == null) return;
        List<Tensor> scales = src.scales().tensors();
        for (int i = 0; i < scales.size(); i++) copy(dst.scales().tensors().get(i), scales.get(i));
    }
}
