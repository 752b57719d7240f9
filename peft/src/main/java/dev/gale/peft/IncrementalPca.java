package dev.gale.peft;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.Arrays;

/// The largest principal components of rows that come in batches. What the batches before it amount to goes into the
/// decomposition of a batch as rows `S V`, and the distance of the means as one more.
/// Source: Ross et al. 2008, "Incremental learning for robust visual tracking"; scikit-learn and peft `IncrementalPCA`.
final class IncrementalPca {
    private final TensorOps host;
    private final int components;
    private final int cols;
    private final double[] mean;
    private final double[] variance;                     // not divided by the number of rows
    private final boolean[] settled;
    private long rows;
    private LowRankSvd.Parts parts;                      // null before the first batch

    /// @param host       operations in host memory
    /// @param components at most cols
    IncrementalPca(TensorOps host, int components, int cols) {
        this.host = host;
        this.components = components;
        this.cols = cols;
        mean = new double[cols];
        variance = new double[cols];
        settled = new boolean[components];
    }

    /// Takes a batch in. Returns: false, and nothing changes, when it has fewer rows than there are components.
    ///
    /// @param batch `[count, cols]`
    /// @param tau   cosine with itself before the batch at which a component has settled
    boolean add(float[] batch, int count, double tau) {
        if (count < components) return false;
        double[] own = means(batch, count);
        int kept = parts == null ? 0 : components;
        float[] stacked = new float[(kept + count + (kept == 0 ? 0 : 1)) * cols];
        for (int i = 0; i < kept; i++) {
            for (int c = 0; c < cols; c++) stacked[i * cols + c] = (float) (parts.s()[i] * parts.v()[i * cols + c]);
        }
        for (int i = 0; i < count * cols; i++) stacked[kept * cols + i] = (float) (batch[i] - own[i % cols]);
        if (kept > 0) {
            double factor = Math.sqrt((double) rows / (rows + count) * count);
            int last = (kept + count) * cols;
            for (int c = 0; c < cols; c++) stacked[last + c] = (float) (factor * (mean[c] - own[c]));
        }
        takeMoments(batch, count, own);
        decompose(stacked, tau);
        return true;
    }

    private double[] means(float[] batch, int count) {
        double[] sums = new double[cols];
        for (int i = 0; i < count * cols; i++) sums[i % cols] += batch[i];
        for (int c = 0; c < cols; c++) sums[c] /= count;
        return sums;
    }

    private void takeMoments(float[] batch, int count, double[] own) {
        for (int i = 0; i < count * cols; i++) variance[i % cols] += Math.pow(batch[i] - own[i % cols], 2);
        for (int c = 0; c < cols; c++) {
            double distance = own[c] - mean[c];
            variance[c] += distance * distance * rows * count / (rows + count);
            mean[c] += distance * count / (rows + count);
        }
        rows += count;
    }

    private void decompose(float[] stacked, double tau) {
        Tensor matrix = host.allocate("rows", DType.F32, Shape.of(stacked.length / cols, cols));
        host.write(matrix, stacked);
        LowRankSvd.Parts next = LowRankSvd.converged(host, matrix, components);
        host.release(matrix);
        for (int i = 0; i < components; i++) {
            turn(next.v(), i);
            settled[i] = parts != null && cosine(parts.v(), next.v(), i) >= tau;
        }
        parts = next;
    }

    /// Its largest component becomes positive.
    private void turn(float[] v, int i) {
        float largest = 0;
        for (int c = 0; c < cols; c++) {
            if (Math.abs(v[i * cols + c]) > Math.abs(largest)) largest = v[i * cols + c];
        }
        for (int c = 0; largest < 0 && c < cols; c++) v[i * cols + c] = -v[i * cols + c];
    }

    private double cosine(float[] a, float[] b, int i) {
        double product = 0;
        double squaresA = 0;
        double squaresB = 0;
        for (int at = i * cols; at < (i + 1) * cols; at++) {
            product += (double) a[at] * b[at];
            squaresA += (double) a[at] * a[at];
            squaresB += (double) b[at] * b[at];
        }
        return product / Math.sqrt(Math.max(squaresA * squaresB, Double.MIN_NORMAL));
    }

    boolean hasComponents() {
        return parts != null;
    }

    /// Whether the first `count` components have settled.
    boolean isSettled(int count) {
        for (int i = 0; i < count; i++) {
            if (!settled[i]) return false;
        }
        return parts != null;
    }

    /// The share of all variance that a component explains.
    double explained(int component) {
        double total = Arrays.stream(variance).sum();
        return total == 0 ? 0 : parts.s()[component] * parts.s()[component] / total;
    }

    /// The first `count` components, `[count, cols]`.
    ///
    /// @param whiten whether each is divided by the root of its singular value
    float[] components(int count, boolean whiten) {
        float[] first = Arrays.copyOf(parts.v(), count * cols);
        for (int i = 0; whiten && i < first.length; i++) first[i] /= (float) Math.sqrt(parts.s()[i / cols]);
        return first;
    }
}
