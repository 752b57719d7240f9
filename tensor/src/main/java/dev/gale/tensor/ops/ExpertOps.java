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
}
