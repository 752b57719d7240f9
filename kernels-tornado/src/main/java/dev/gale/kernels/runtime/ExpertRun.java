package dev.gale.kernels.runtime;

import dev.gale.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/// Experts whose matrices lie at equal distances in one chunk, as those that were allocated one after the other do: a launch
/// reaches them all.
///
/// @param first  number of the first
/// @param stride elements from one to the next
/// @param matrix of the first
record ExpertRun(int first, int count, int stride, Tensor matrix) {

    /// @param matrices one per expert, null for those without
    static List<ExpertRun> of(List<Tensor> matrices) {
        List<ExpertRun> runs = new ArrayList<>();
        for (int e = 0; e < matrices.size();) {
            if (matrices.get(e) == null) {
                e++;
                continue;
            }
            int count = 1;
            long stride = e + 1 < matrices.size() ? distance(matrices.get(e), matrices.get(e + 1)) : 0;
            while (stride > 0 && e + count < matrices.size()
                    && distance(matrices.get(e + count - 1), matrices.get(e + count)) == stride) count++;
            runs.add(new ExpertRun(e, count, count == 1 ? 0 : Math.toIntExact(stride), matrices.get(e)));
            e += count;
        }
        return runs;
    }

    /// Elements from a matrix to the next one, 0 when they are not of one kind in one chunk, the first one before the other.
    private static long distance(Tensor from, Tensor to) {
        if (to == null || from.dtype() != to.dtype()) return 0;
        DeviceStorage first = DeviceStorage.of(from);
        DeviceStorage second = DeviceStorage.of(to);
        if (first.chunk() != second.chunk()) return 0;
        return Math.max(0, (second.offset() - first.offset()) / from.dtype().bytes(1));
    }
}
