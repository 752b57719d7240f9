package dev.gale.kernels.runtime;

import dev.gale.tensor.Convert;
import dev.gale.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.stream.IntStream;

/// Rows of a table in host memory.
final class HostRows {
    private HostRows() {}

    /// `y[i] = table[rows[i]]`, converted to the dtype of y. Shapes: y `[M, D]`, table `[V, D]`. Writes: `y =`.
    /// Throws: IndexOutOfBoundsException when the table has no such row.
    static void gather(Tensor y, Tensor table, int[] rows) {
        MemorySegment to = y.segment();
        MemorySegment from = table.segment();
        int cols = y.cols();
        boolean alike = y.dtype() == table.dtype();
        long bytes = table.dtype().bytes(cols);
        IntStream.range(0, rows.length).parallel().forEach(i -> {
            if (alike) {
                MemorySegment.copy(from, rows[i] * bytes, to, i * bytes, bytes);
            } else {
                for (int c = 0; c < cols; c++) {
                    Convert.set(to, y.dtype(), (long) i * cols + c,
                            Convert.get(from, table.dtype(), (long) rows[i] * cols + c));
                }
            }
        });
    }
}
