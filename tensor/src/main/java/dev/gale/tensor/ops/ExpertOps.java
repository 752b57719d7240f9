package dev.gale.tensor.ops;

import dev.gale.tensor.Tensor;
import java.util.List;

/// Mixtures of experts: a part of `TensorOps`, whose rules hold here too. E is the number of experts, k how many a token has,
/// and N = M * k. How many rows an expert gets is known on the device alone: its rows lie side by side in matrices of N rows,
/// `offsets[e] <= row < offsets[e + 1]`.
public interface ExpertOps {

    /// With `p = softmax(logits[t])`, token t has the k experts of the largest logits, the first of equal ones, in that order,
    /// from the groups that spec allows: `experts[t,s]` and `weights[t,s] = scale * p`, or with normalize
    /// `scale * p / sum_s p`.
    /// Shapes: logits `[M, E]`, weights F32 `[M, k]`, experts I32 `[M, k]`. Writes: `=`.
    /// Numerics: NaN among the logits of a token makes its weights NaN; its experts are some.
    /// Source: Fedus et al. 2021, arXiv 2101.03961; Jiang et al. 2024, arXiv 2401.04088; groups: DeepSeek-AI 2024,
    /// arXiv 2405.04434 section 2.2.2.
    void routeForward(Tensor weights, Tensor experts, Tensor logits, RouteSpec spec);

    /// Gradient of `routeForward`, the choice held fixed: with `g = scale * dWeights`, c the chosen,
    /// `dLogits[i] = p_i * ([i chosen] g_i - sum_c g_c p_c)`; with normalize `q = p / sum_c p` takes the place of p among the
    /// chosen and the others get 0. Shapes as forward. Writes: dLogits `=`.
    void routeBackward(Tensor dLogits, Tensor dWeights, Tensor experts, Tensor logits, RouteSpec spec);

    /// Adds up what the load-balancing loss is made of, over the tokens of which `present[t] > 0`:
    /// `sums[0,e]` counts their choices of expert e, `sums[1,e] += sum_t p[t,e]` with `p[t] = softmax(logits[t])`. When all
    /// layers have added theirs, the loss is `E / n^2 * sum_e sums[0,e] * sums[1,e]` with `n = sum_e sums[0,e] / k`.
    /// Shapes: sums F32 `[2, E]`, experts I32 `[M, k]`, logits `[M, E]`, present I32 `[M]`. Writes: `+=`.
    /// Numerics: F32; counts of an expert are exact up to 2^24. NaN among the logits of a token reaches every sum of p.
    /// Source: Fedus et al. 2021, arXiv 2101.03961 section 2.2; over all layers and all k choices, as Transformers has it.
    void balanceForward(Tensor sums, Tensor experts, Tensor logits, Tensor present);

    /// Gradient of `factor` times the loss that `balanceForward` describes, the choices held fixed: with
    /// `g_e = factor * E * sums[0,e] / n^2`, `dLogits[t,i] = p[t,i] * (g_i - sum_e g_e p[t,e])`; 0 for tokens that are not
    /// present. Shapes: dLogits, logits `[M, E]`, sums F32 `[2, E]`, present I32 `[M]`, factor F32 `[1]`.
    /// Writes: `=` or, with accumulate, `+=`.
    ///
    /// @param perToken k
    void balanceBackward(Tensor dLogits, Tensor sums, Tensor logits, Tensor present, Tensor factor, int perToken,
                         boolean accumulate);

    /// Sorts the choices by expert, those of one expert by token: row j of the sorted matrices belongs to token `tokens[j]`,
    /// and the choice (t, s) lies in row `places[t,s]`.
    /// Shapes: tokens I32 `[N]`, places I32 `[M, k]`, offsets I32 `[E + 1]`, experts I32 `[M, k]`. Writes: `=`.
    void groupByExpert(Tensor tokens, Tensor places, Tensor offsets, Tensor experts);

    /// `y[t] = sum_s weights[t,s] * x[places[t,s]]`; without weights (null) each is 1, without places (null) k is 1 and
    /// `places[t] = t`.
    /// Shapes: y `[M, D]`, x `[N, D]`, places I32 and weights F32 `[M, k]`. Writes: `=` or, with accumulate, `+=`.
    void combineForward(Tensor y, Tensor x, Tensor places, Tensor weights, boolean accumulate);

    /// Gradient of `combineForward`: `dx[places[t,s]] = weights[t,s] * dy[t]`, `dWeights[t,s] = dy[t] · x[places[t,s]]`.
    /// Shapes as forward; every row of dx is the place of one choice. Either result may be null. Writes: `=`.
    void combineBackward(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor places, Tensor weights);

    /// For each row j of expert e: `c[j] = alpha * a[j] op(w[e])`, op transposing its matrix when asked; without w[e] (null) 0.
    /// Shapes: a `[N, in]`, c `[N, out]`, op(w[e]) `[in, out]`, all alike, perhaps quantized; offsets I32 `[E + 1]`.
    /// Writes: `=` or, with accumulate, `+=`. Numerics: as `matmul`.
    void groupedMatmul(Tensor c, Tensor a, List<Tensor> w, boolean transposeW, Tensor offsets, float alpha, boolean accumulate);

    /// `dw[e] += alpha * sum_j a[j]ᵀ b[j]` over the rows j of expert e.
    /// Shapes: a `[N, m]`, b `[N, n]`, dw[e] F32 `[m, n]`, or null for those not wanted. Writes: `+=`.
    void groupedGradient(List<Tensor> dw, Tensor a, Tensor b, Tensor offsets, float alpha);

    /// `y[j] = x[j] w[e]ᵀ + side` for each row j of expert e; without a side (null) there is none.
    /// A null y is not computed: only `side.low` is. Shapes: x `[N, in]`, w[e] `[out, in]`, perhaps quantized, y `[N, out]`;
    /// offsets I32 `[E + 1]`. Writes: `y =`, `side.low =`.
    default void groupedLinearForward(Tensor y, Tensor x, List<Tensor> w, Tensor offsets, GroupedLowRank side) {
        ExpertChecks.groupedLinearForward(y, x, w, offsets, side);
        if (y != null) groupedMatmul(y, x, w, true, offsets, 1f, false);
        if (side == null) return;
        groupedMatmul(side.low(), side.input(), side.a(), true, offsets, 1f, false);
        if (y != null) groupedMatmul(y, side.low(), side.b(), true, offsets, side.scale(), true);
    }

    /// Gradient of `groupedLinearForward` with respect to x and to the side paths (not to w: that is a `groupedGradient`).
    /// `dx[j] = dy[j] w[e] + (side's share)`; a null dx is not computed.
    /// Writes: dx `=` or, with accumulate, `+=`; the components of sideGrads as its Javadoc says.
    default void groupedLinearBackward(Tensor dx, boolean accumulate, Tensor dy, List<Tensor> w, Tensor offsets,
                                       GroupedLowRank side, GroupedLowRankGrads sideGrads) {
        ExpertChecks.groupedLinearBackward(dx, dy, w, offsets, side, sideGrads);
        if (dx != null) groupedMatmul(dx, dy, w, false, offsets, 1f, accumulate);
        if (side == null) return;
        Tensor dLow = sideGrads.dLow();
        if (sideGrads.dB() != null) groupedGradient(sideGrads.dB(), dy, side.low(), offsets, side.scale());
        groupedMatmul(dLow, dy, side.b(), false, offsets, side.scale(), false);
        if (sideGrads.dA() != null) groupedGradient(sideGrads.dA(), dLow, side.input(), offsets, 1f);
        if (sideGrads.dInput() != null) groupedMatmul(sideGrads.dInput(), dLow, side.a(), false, offsets, 1f, false);
        else if (dx != null) groupedMatmul(dx, dLow, side.a(), false, offsets, 1f, true);
    }
}
