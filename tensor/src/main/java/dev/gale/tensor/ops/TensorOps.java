package dev.gale.tensor.ops;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.quant.Quantization;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// The operations that models, losses and optimizers are made of: the one contract that every device implements.
///
/// Rules that hold for every method:
/// - Results go into destinations that the caller gives. *Writes* says `=` (overwritten) or `+=` (accumulated);
///   a `boolean accumulate` argument chooses between the two.
/// - M is the number of tokens in a batch, all sequences side by side. Matrices are row-major; a weight is `[out, in]`.
/// - Activations and their gradients are F32 on the CPU and may be BF16 or F16 on a GPU; gradients of parameters and optimizer
///   state are F32; weights may be F32, BF16 or F16. Sums are accumulated in F32 or wider, in an order that depends on shapes
///   alone: the same inputs give the same bits, however many threads run.
/// - No operation branches on a value that lives on the device; only `item`, `toFloats` and `toInts` bring values to
///   the host.
/// - NaN in gives NaN out, wherever the value takes part.
/// - Arguments are checked in every implementation: ShapeException names the operation and the operands.
/// - Destinations must not overlap sources unless a method says "in place".
public interface TensorOps extends OptimizerOps, LayerOps, ExpertOps, AutoCloseable {

    /// Short name for logs and results, e.g. `cpu`.
    String name();

    /// False when values are not computed but only counted, as in a plan: what costs much to make on the host and will be
    /// written need not be made then.
    default boolean computes() {
        return true;
    }

    /// Says that a piece of work which is repeated with other operands, such as a layer, begins or ends here. A device may
    /// then capture the piece once and replay it; elsewhere nothing happens.
    default void border() {}

    /// In what dtype activations and their gradients are kept: F32, or what a device computes with, BF16 or F16. F16 holds
    /// nothing beyond 65504 and little below 6e-8, so gradients in it need a scale.
    default DType activationType() {
        return DType.F32;
    }

    /// How many rows a batch of so many tokens should have, at least as many. A device that compiles its kernels for
    /// their shapes asks for few different ones; tokens added to a batch see no key and have no target.
    default int batchRows(int tokens) {
        return tokens;
    }

    /// How many bytes a piece of work that is done in parts, such as the logits of a batch, may hold at once: enough for
    /// fast products, little beside the model.
    default long scratchBytes() {
        return 48L << 20;
    }

    /// Says how many bytes are about to be allocated and kept, such as all weights of a model, so that they come to lie
    /// side by side.
    default void reserve(long bytes) {}

    /// Whether tensors lie in the host's memory, where moving them there would gain nothing.
    default boolean onHost() {
        return true;
    }

    // ---- memory ----

    /// A tensor of undefined content, 64-byte aligned, that lives until `release` or `close`.
    Tensor allocate(String name, DType dtype, Shape shape);

    /// As `allocate`, a weight of few bits with its scales, which `release` gives back with it. Products take it as w.
    /// Throws: ShapeException when the quantization's blocks do not divide it.
    Tensor allocate(String name, Quantization quantization, Shape shape);

    /// Gives the bytes of a tensor from `allocate` back. Throws: IllegalStateException when it was not allocated here
    /// or was released before.
    void release(Tensor tensor);

    /// Gives a released tensor bytes again, of undefined content.
    /// Throws: IllegalStateException when it was not released.
    void restore(Tensor tensor);

    /// The same values, with their scales if there are some, where this implementation computes: the tensor itself if it is
    /// already there (memory-mapped weights on the CPU are never copied), else a copy that must be released.
    Tensor place(Tensor tensor);

    /// Some rows of a dense matrix, or elements of a vector, where they are: valid as long as that is, and never released.
    Tensor rows(Tensor tensor, int from, int count);

    MemoryUse memory();

    /// Bytes of the device's memory that are in use, by whomever; 0 where nobody says.
    default long usedBytes() {
        return 0;
    }

    // ---- host memory beside a device's ----

    /// As `allocate`, but in host memory, from which a device copies fast: for weights that take turns on it. On the host as
    /// `allocate`.
    default Tensor allocateOnHost(String name, DType dtype, Shape shape) {
        return allocate(name, dtype, shape);
    }

    /// See the other `allocateOnHost`.
    default Tensor allocateOnHost(String name, Quantization quantization, Shape shape) {
        return allocate(name, quantization, shape);
    }

    /// Begins to copy a tensor to host memory, beside what runs until `evict` and may still read it. On the host nothing
    /// happens.
    default void offload(Tensor tensor) {}

    /// Gives the memory of an offloaded tensor back, here; who reads it later calls `fetch` before. On the host nothing
    /// happens.
    default void evict(Tensor tensor) {}

    /// Begins to copy an offloaded tensor back, beside what runs until `fetch`. Nothing happens to a tensor that is here.
    default void prefetch(Tensor tensor) {}

    /// An offloaded tensor can be read from now on. Nothing happens to a tensor that is here.
    default void fetch(Tensor tensor) {}

    /// Lets weights from `allocateOnHost` take turns in memory here. On the host nothing happens.
    ///
    /// @param pieces what is needed together, in the order in which the pieces are needed, or the reverse
    default WeightStream stream(List<List<Tensor>> pieces) {
        return WeightStream.NONE;
    }

    /// Sets the recorded peak to what is live now.
    void resetPeak();

    // ---- between host and device ----

    /// Writes: `dst =` values, converted to its dtype (round to nearest even).
    default void write(Tensor dst, float[] values) {
        Checks.write(dst, values.length, true);
        write(dst, 0, values);
    }

    /// As `write`, but only the elements from `at` on, as many as there are values: for tensors larger than Java's arrays
    /// should be.
    void write(Tensor dst, long at, float[] values);

    /// Writes: `dst =` values; dst is I32.
    void write(Tensor dst, int[] values);

    /// Writes: `dst =` these bytes, its elements one after the other in the host's order, whatever its dtype.
    void writeBytes(Tensor dst, MemorySegment bytes);

    /// Writes: `bytes =` the elements of src, as `writeBytes` takes them. Waits for the device.
    void readBytes(MemorySegment bytes, Tensor src);

    /// All elements as F32. Waits for the device.
    float[] toFloats(Tensor src);

    /// All elements of an I32 tensor. Waits for the device.
    int[] toInts(Tensor src);

    /// The only element of a one-element floating tensor. Waits for the device.
    float item(Tensor src);

    // ---- elementwise ----

    /// Writes: `dst =` src, converted between floating dtypes with round to nearest even. Same number of elements.
    void copy(Tensor dst, Tensor src);

    /// Writes: q `=` src, codes and scales; q quantized, src floating, of the same number of elements, made here or in host
    /// memory. Numerics: see `dev.gale.tensor.quant.Codec`. Precondition: not part of a step; a device may wait for the host.
    void quantize(Tensor q, Tensor src);

    /// Writes: `dst =` q, rounded to the dtype of dst. Same number of elements.
    void dequantize(Tensor dst, Tensor q);

    /// Writes: `dst =` value, any dtype.
    void fill(Tensor dst, float value);

    /// Writes: `y = a + b`; y may be a or b.
    void add(Tensor y, Tensor a, Tensor b);

    /// Writes: `y += scale * x`.
    void addScaled(Tensor y, Tensor x, float scale);

    /// Sum over rows. Shapes: x `[M, N]`, sums `[N]`. Writes: `sums +=`.
    void columnSum(Tensor sums, Tensor x);

    /// Inverted dropout: keeps element i when a uniform number u(i) in [0, 1) is >= p and multiplies it by 1 / (1 - p).
    /// u(i) = word `i % 4` of Philox4x32-10 with key (rng[0], rng[1]) and counter (i / 4, stream, rng[2], rng[3]),
    /// its upper 24 bits divided by 2^24; so the mask is the same wherever and whenever it is recomputed.
    /// Shapes: y, x alike; rng I32 `[4]` = seed low, seed high, optimizer step, micro-batch, or more, of which the first four
    /// count. Element i is the flat index.
    /// Writes: `y =` or, with accumulate, `y +=`; y may be x. Its own backward: apply it to dy.
    /// Source: Salmon et al., SC 2011, and `dev.gale.tensor.random.Philox`.
    void dropout(Tensor y, Tensor x, float p, Tensor rng, int stream, boolean accumulate);

    // ---- lookups ----

    /// `y[i] = table[ids[i]]`. Shapes: y `[M, D]`, table `[V, D]`, ids I32 `[M]`. Writes: `y =`.
    /// Throws: IndexOutOfBoundsException on implementations that can see ids on the host.
    void gatherRows(Tensor y, Tensor table, Tensor ids);

    /// `table[ids[i]] += dy[i]`, in order of i for each row; an id of -1 names no row. Shapes as `gatherRows`; dTable F32.
    void scatterAddRows(Tensor dTable, Tensor dy, Tensor ids);

    // ---- matrix products ----

    /// `c = alpha * op(a) op(b)`, op transposing its matrix when asked.
    /// Shapes: op(a) `[m, k]`, op(b) `[k, n]`, c `[m, n]`. Writes: `=` or, with accumulate, `+=`.
    /// Numerics: F32 sums over k; each element of c depends on its row of op(a) and column of op(b) alone, in an order
    /// fixed by k.
    void matmul(Tensor c, Tensor a, boolean transposeA, Tensor b, boolean transposeB, float alpha, boolean accumulate);

    /// `y = x wᵀ + bias + residual + side`, `side = scale * (input aᵀ) bᵀ`; null operands are left out.
    /// A null y is not computed: only `side.low` is, for a backward whose forward's y nobody reads.
    /// Shapes: x `[M, in]`, w `[out, in]`, bias `[out]`, residual and y `[M, out]`. Writes: `y =`, `side.low =`.
    /// w may be quantized: its elements are those that `dequantize` gives, in the dtype that the device multiplies.
    /// Source: Hu et al. 2021, arXiv 2106.09685 section 4.1.
    void linearForward(Tensor y, Tensor x, Tensor w, Tensor bias, Tensor residual, LowRank side);

    /// Gradient of `linearForward` with respect to x and to the side path (not to w: that is a `matmul`).
    /// `dx = dy w + (side's share)`; a null dx is not computed; a null side has no share. w may be quantized.
    /// Writes: dx `=` or, with accumulate, `+=`; the components of sideGrads as its Javadoc says.
    void linearBackward(Tensor dx, boolean accumulate, Tensor dy, Tensor w, LowRank side, LowRankGrads sideGrads);

    // ---- lengths of weight rows ----

    /// `norm[i] = sqrt(base[i]^2 + 2 scale b[i]·cross[i] + scale^2 b[i] gram b[i]ᵀ)`; null base and gram are left out.
    /// With base the norms of W's rows, cross = W Aᵀ and gram = A Aᵀ these are the norms of the rows of `W + scale * B A`,
    /// without that matrix; with b = cross = W and scale = 1/2, those of W itself.
    /// Shapes: norm, base F32 `[N]`; b, cross `[N, R]`; gram F32 `[R, R]`. Writes: `=`.
    /// Numerics: F32 sums; a row loses what cancels, `(|w| + |scale b A|)^2 / norm^2`. Never below 1e-19, so that a row of
    /// zeros has a direction to be scaled in.
    /// Source: Liu et al. 2024 (DoRA), arXiv 2402.09353 section 4.3.
    void rowNorm(Tensor norm, Tensor base, Tensor b, Tensor cross, Tensor gram, float scale);

    /// `y[r,c] = magnitude[c] / norm[c] * x[r,c] + bias[c] + residual[r,c]`; null bias and residual are left out.
    /// Shapes: y, x, residual `[M, N]`; magnitude, norm F32 `[N]`; bias `[N]`. Writes: `=`; y may be x or residual.
    void columnScaleForward(Tensor y, Tensor x, Tensor magnitude, Tensor norm, Tensor bias, Tensor residual);

    /// `dMagnitude[c] += sum_r dy[r,c] * x[r,c] / norm[c]`, `dx = magnitude[c] / norm[c] * dy`; the norm is taken for a
    /// constant. Either result may be null, x where dMagnitude is.
    /// Shapes as forward; dMagnitude F32 `[N]`. Writes: dMagnitude `+=`; dx `=`, and it may be dy.
    void columnScaleBackward(Tensor dx, Tensor dMagnitude, Tensor dy, Tensor x, Tensor magnitude, Tensor norm);

    // ---- normalisation, position, activation ----

    /// `y[r,c] = x[r,c] * rstd[r] * (shift + w[c])`, `rstd[r] = 1 / sqrt(mean_c(x[r,c]^2) + eps)`.
    /// Shapes: x, y `[M, n * D]`, seen as `[M * n, D]`, w `[D]`, rstd F32 `[M * n]`, kept for backward. Writes: `=`.
    /// Source: Zhang & Sennrich 2019, arXiv 1910.07467; with a shift of 1 that of Gemma, arXiv 2403.08295.
    void rmsNormForward(Tensor y, Tensor rstd, Tensor x, Tensor w, float eps, float shift);

    /// As above without a shift.
    default void rmsNormForward(Tensor y, Tensor rstd, Tensor x, Tensor w, float eps) {
        rmsNormForward(y, rstd, x, w, eps, 0f);
    }

    /// With `xhat = x * rstd`, `g = dy * (shift + w)`: `dx = rstd * (g - xhat * mean_c(g * xhat))`, `dw += sum_r dy * xhat`.
    /// Shapes as forward; dw F32 `[D]`, null when w is frozen; dx null when not needed.
    /// Writes: dx `=` or, with accumulate, `+=`; dw `+=`. dx may be dy when not accumulating.
    void rmsNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dy, Tensor x, Tensor w, Tensor rstd, float shift);

    /// As above without a shift.
    default void rmsNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dy, Tensor x, Tensor w, Tensor rstd) {
        rmsNormBackward(dx, accumulate, dw, dy, x, w, rstd, 0f);
    }

    /// Rotary position embedding of every head of q and k, in place: for the pair (i, i + half) of a head, or (2i, 2i + 1)
    /// when spec.interleaved, `a' = a cos - b sin`, `b' = b cos + a sin`, half = cos.cols; elements from 2 * half on stay.
    /// The transpose (inverse up to the table's scale) flips the sign of sin and is the backward, applied to dq and dk.
    /// Shapes: q `[M, H * K]`, k `[M, Hkv * K]`, cos and sin F32 `[P, half]`, positions I32 `[M]` in [0, P).
    /// q or k may be null. Source: Su et al. 2021, arXiv 2104.09864, in the rotate-half layout of Llama checkpoints.
    void rope(Tensor q, Tensor k, Tensor cos, Tensor sin, Tensor positions, AttentionSpec spec, boolean transpose);

    /// `y = act(gate) * up`, elementwise, alike shapes; without up (null) `y = act(gate)`. Writes: `=`.
    void gluForward(Tensor y, Tensor gate, Tensor up, Activation activation);

    /// `dgate = dy * up * act'(gate)`, `dup = dy * act(gate)`. Writes: `=`. dgate may be gate and dup may be up or dy
    /// (in place): each element is read before it is written. up and dup are null together; dgate may be dy then.
    void gluBackward(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, Activation activation);

    // ---- attention ----

    /// Softmax attention: query i sees keys `start[i] <= j < stop[i]`. With s_ij = softcap(scale * q_i·k_j):
    /// `lse[h,i] = log sum_j exp(s_ij)`, `o_i = sum_j exp(s_ij - lse) v_j`. An empty range gives o = 0, lse = -inf.
    /// Causal masks, sequence boundaries, sliding windows and key-value caches are all ranges; both arrays never
    /// decrease within a sequence.
    /// Shapes: q, o `[M, H * K]`; k, v `[S, Hkv * K]` (S = M in training); lse F32 `[H, M]`; start, stop I32 `[M]`.
    /// Memory: O(M) beside the operands: key blocks are streamed. Writes: `=`.
    /// Source: Dao et al. 2022, arXiv 2205.14135.
    void attentionForward(Tensor o, Tensor lse, Tensor q, Tensor k, Tensor v, Tensor start, Tensor stop,
            AttentionSpec spec);

    /// Gradient of `attentionForward`: `p = exp(s - lse)`, `dv = pᵀ do`, `ds = p * (do vᵀ - rowsum(do * o))` (times the
    /// softcap's slope), `dq = scale * ds k`, `dk = scale * dsᵀ q`.
    /// Shapes as forward. Writes: dq, dk, dv `=`.
    void attentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dO, Tensor q, Tensor k, Tensor v, Tensor o,
            Tensor lse, Tensor start, Tensor stop, AttentionSpec spec);

    // ---- loss ----

    /// Output head and summed cross-entropy in one pass that never holds more than `spec.chunkRows` rows of logits.
    /// For rows with target t >= 0: `z = softcap(scale * x wᵀ + bias)`, loss = `logsumexp(z) - z[t]`; rows with target
    /// `CrossEntropySpec.IGNORE` contribute nothing (their dx is 0).
    /// Shapes: x `[M, D]`, w `[V, D]`, bias `[V]`, targets I32 `[M]`, stats F32 `[2]`, tokenLoss F32 `[M]`, dx `[M, D]`, dw
    /// F32 `[V, D]`, or of the spec's rows `[n, D]`, dBias F32 `[V]`.
    /// Writes: `stats[0] +=` sum of losses, `stats[1] +=` number of rows whose largest logit is the target (first one
    /// on ties); `tokenLoss =` each row's loss, 0 when ignored; `dx =`, `dw +=` and `dBias +=` the gradient of the *sum* of
    /// losses. tokenLoss, bias, dx, dw and dBias may be null; with a bias scale is 1.
    /// Source: Hsu et al. 2024 (Liger), arXiv 2410.10989 section 3.2.
    ///
    /// @param gradScale factor on dx and on what is added to dw and dBias, before they are rounded: F32, one element; null is 1
    void linearCrossEntropy(Tensor stats, Tensor tokenLoss, Tensor dx, Tensor dw, Tensor dBias, Tensor x, Tensor w, Tensor bias,
            Tensor targets, Tensor gradScale, CrossEntropySpec spec);

    /// The same without a bias.
    default void linearCrossEntropy(Tensor stats, Tensor tokenLoss, Tensor dx, Tensor dw, Tensor x, Tensor w, Tensor targets,
                                    Tensor gradScale, CrossEntropySpec spec) {
        linearCrossEntropy(stats, tokenLoss, dx, dw, null, x, w, null, targets, gradScale, spec);
    }

    /// The same with gradients as they are.
    default void linearCrossEntropy(Tensor stats, Tensor tokenLoss, Tensor dx, Tensor dw, Tensor x, Tensor w, Tensor targets,
                                    CrossEntropySpec spec) {
        linearCrossEntropy(stats, tokenLoss, dx, dw, x, w, targets, null, spec);
    }

    // ---- optimizer; other updates than AdamW's are in OptimizerOps ----

    /// `sum[0] += sum_i x_i^2`, sum F32 `[1]`.
    void sumSquares(Tensor sum, Tensor x);

    /// Turns summed gradients into the mean over trained tokens, clipped by global norm, without touching them:
    /// `norm = sqrt(sumSquares) / tokens`, `factor = min(1, maxNorm / (norm + 1e-6)) / tokens`; maxNorm <= 0 does not
    /// clip.
    /// Shapes: out F32 `[2]` = factor, norm; sumSquares, tokens F32 `[1]`. Writes: `=`.
    /// Source: torch.nn.utils.clip_grad_norm_.
    void clipFactor(Tensor out, Tensor sumSquares, Tensor tokens, float maxNorm);

    /// AdamW with decoupled weight decay: `g = factor[0] * grad; p *= 1 - lr * wd; m = b1 m + (1 - b1) g;
    /// v = b2 v + (1 - b2) g^2; p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`.
    /// Shapes: param, grad, m, v alike, F32; hyper F32 `[7]` = lr, b1, b2, eps, wd, 1 - b1^t, 1 - b2^t; factor F32
    /// `[1]` or longer. Writes: param, m, v in place. Source: Loshchilov & Hutter 2017, arXiv 1711.05101;
    /// torch.optim.AdamW.
    void adamW(Tensor param, Tensor grad, Tensor m, Tensor v, Tensor hyper, Tensor factor);

    @Override
    void close();
}
