package dev.gale.peft;

import dev.gale.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/// An adapter that changed its base at the start, as one of twice the rank for the base as it was. With A₀ and B₀ from the
/// start, `W - s B₀A₀ + s BA = W + s [B, -B₀] [A; A₀]`.
/// Source: peft `LoraModel.subtract_mutated_init`, which `path_initial_model_for_weight_conversion` asks for.
final class PlainLora {
    private PlainLora() {}

    /// The configuration: ranks are twice as high and every scale is the same.
    static LoraConfig config(LoraConfig config) {
        double factor = config.useRslora() ? Math.sqrt(2) : 2;
        Map<String, Integer> ranks = new LinkedHashMap<>();
        config.rankPattern().forEach((key, rank) -> ranks.put(key, 2 * rank));
        Map<String, Double> alphas = new LinkedHashMap<>();
        config.alphaPattern().forEach((key, alpha) -> alphas.put(key, factor * alpha));
        return config.toBuilder().r(2 * config.r()).loraAlpha(factor * config.loraAlpha()).rankPattern(ranks)
                .alphaPattern(alphas).initLoraWeights(InitLoraWeights.KAIMING).build();
    }

    /// `[A; A₀]`.
    static Tensor down(Tensor shape, float[] a, float[] start) {
        float[] both = new float[2 * a.length];
        System.arraycopy(a, 0, both, 0, a.length);
        System.arraycopy(start, 0, both, a.length, a.length);
        return HostTensor.of(shape.name(), both, 2 * shape.rows(), shape.cols());
    }

    /// `[B, -B₀]`.
    static Tensor up(Tensor shape, float[] b, float[] start) {
        int r = shape.cols();
        float[] both = new float[2 * b.length];
        for (int i = 0; i < b.length; i++) {
            int at = i / r * 2 * r + i % r;
            both[at] = b[i];
            both[at + r] = -start[i];
        }
        return HostTensor.of(shape.name(), both, shape.rows(), 2 * r);
    }
}
