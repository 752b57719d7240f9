package dev.gale.nn;

import dev.gale.nn.RopeConfig.Type;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.stream.IntStream;

/// Cosines and sines of every position and frequency: row p holds `scale * cos(p * f_i)` and `scale * sin(p * f_i)`.
///
/// @param cos F32 `[P, half]`
/// @param sin F32 `[P, half]`
public record RopeTable(Tensor cos, Tensor sin) {

    /// Frequencies of the rotated pairs of a head and the factor on their cosines and sines.
    record Frequencies(float[] values, double scale) {}

    /// The table of the first `rows` positions, for sequences of `length` tokens.
    /// Numerics: frequency and angle are rounded to F32 as the reference implementation does, the functions are not.
    static RopeTable of(TensorOps ops, ModelConfig config, int rows, int length) {
        Frequencies frequencies = frequencies(config, length);
        int half = frequencies.values().length;
        float[] cos = new float[Math.multiplyExact(rows, half)];
        float[] sin = new float[cos.length];
        IntStream.range(0, rows).parallel().forEach(p -> {
            for (int i = 0; i < half; i++) {
                double angle = p * frequencies.values()[i];
                cos[p * half + i] = (float) (Math.cos(angle) * frequencies.scale());
                sin[p * half + i] = (float) (Math.sin(angle) * frequencies.scale());
            }
        });
        return new RopeTable(upload(ops, "rope cos", cos, rows, half), upload(ops, "rope sin", sin, rows, half));
    }

    private static Tensor upload(TensorOps ops, String name, float[] values, int rows, int half) {
        Tensor tensor = ops.allocate(name, DType.F32, Shape.of(rows, half));
        ops.write(tensor, values);
        return tensor;
    }

    void release(TensorOps ops) {
        ops.release(cos);
        ops.release(sin);
    }

    /// Frequencies for sequences of `length` tokens, `f_i = theta^(-2i / dim)` before scaling, dim the rotated width:
    /// - linear: `f_i / factor`;
    /// - dynamic: theta grows by `(factor * n / P - factor + 1)^(dim / (dim - 2))`, n the length, at least
    ///   the context P;
    /// - llama3: wavelengths above `original / low` are stretched by factor, below `original / high` kept, between them
    ///   interpolated;
    /// - yarn: pairs that turn more than betaFast times in the original context stay, less than betaSlow times are
    ///   divided by factor, a ramp over the pairs between;
    /// - longrope: each divided by its own number, of one list up to the original context and of another beyond.
    ///
    /// Source: Chen et al. 2023, arXiv 2306.15595 (linear); Peng et al. 2023, arXiv 2309.00071 (NTK, yarn); Dubey et
    /// al. 2024, arXiv 2407.21783 (llama3); Ding et al. 2024, arXiv 2402.13753 (longrope).
    static Frequencies frequencies(ModelConfig config, int length) {
        RopeConfig rope = config.rope();
        int dim = config.rotatedDim();
        return switch (rope.type()) {
            case DEFAULT -> new Frequencies(geometric(rope.theta(), dim), 1);
            case LINEAR -> new Frequencies(linear(rope, dim), 1);
            case DYNAMIC -> new Frequencies(geometric(stretched(rope, dim, config.maxSeqLen(), length), dim), 1);
            case LLAMA3 -> new Frequencies(llama3(rope, dim), 1);
            case YARN -> yarn(rope, dim, config.maxSeqLen());
            case LONGROPE -> longrope(rope, dim, config.maxSeqLen(), length);
        };
    }

    private static float[] geometric(double theta, int dim) {
        float[] frequencies = new float[dim / 2];
        for (int i = 0; i < frequencies.length; i++) frequencies[i] = 1f / wavelengthFactor(theta, i, dim);
        return frequencies;
    }

    private static float wavelengthFactor(double theta, int i, int dim) {
        return (float) Math.pow((float) theta, 2f * i / dim);
    }

    private static float[] linear(RopeConfig rope, int dim) {
        float[] frequencies = geometric(rope.theta(), dim);
        for (int i = 0; i < frequencies.length; i++) frequencies[i] /= (float) rope.factor();
        return frequencies;
    }

    private static double stretched(RopeConfig rope, int dim, int context, int length) {
        double times = (double) Math.max(length, context) / context;
        return rope.theta() * Math.pow(rope.factor() * times - (rope.factor() - 1), dim / (dim - 2.0));
    }

    private static float[] llama3(RopeConfig rope, int dim) {
        float[] frequencies = geometric(rope.theta(), dim);
        double original = rope.originalMaxPositionEmbeddings();
        for (int i = 0; i < frequencies.length; i++) {
            double turns = original * frequencies[i] / (2 * Math.PI);        // in the original context
            double kept = (turns - rope.lowFreqFactor()) / (rope.highFreqFactor() - rope.lowFreqFactor());
            kept = turns < rope.lowFreqFactor() ? 0 : turns > rope.highFreqFactor() ? 1 : kept;
            frequencies[i] *= (float) ((1 - kept) / rope.factor() + kept);
        }
        return frequencies;
    }

    private static Frequencies yarn(RopeConfig rope, int dim, int context) {
        int original = rope.originalMaxPositionEmbeddings();
        double factor = rope.factor() != 0 ? rope.factor() : (double) context / original;
        double low = pairTurning(rope.betaFast(), rope, dim, original);
        double high = pairTurning(rope.betaSlow(), rope, dim, original);
        if (rope.truncate()) {
            low = Math.floor(low);
            high = Math.ceil(high);
        }
        low = Math.max(low, 0);
        high = Math.min(high, dim - 1);
        double width = low == high ? 0.001 : high - low;
        float[] frequencies = geometric(rope.theta(), dim);
        for (int i = 0; i < frequencies.length; i++) {
            double divided = Math.clamp((i - low) / width, 0.0, 1.0);
            frequencies[i] *= (float) (divided / factor + 1 - divided);
        }
        return new Frequencies(frequencies, yarnScale(rope, factor));
    }

    /// The (fractional) pair that turns `rotations` times in the original context.
    private static double pairTurning(double rotations, RopeConfig rope, int dim, int original) {
        return dim * Math.log(original / (rotations * 2 * Math.PI)) / (2 * Math.log(rope.theta()));
    }

    private static double yarnScale(RopeConfig rope, double factor) {
        if (rope.attentionFactor() != 0) return rope.attentionFactor();
        if (rope.mscale() == 0 || rope.mscaleAllDim() == 0) return magnitude(factor, 1);
        return magnitude(factor, rope.mscale()) / magnitude(factor, rope.mscaleAllDim());
    }

    private static double magnitude(double factor, double mscale) {
        return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
    }

    private static Frequencies longrope(RopeConfig rope, int dim, int context, int length) {
        int original = rope.originalMaxPositionEmbeddings();
        boolean beyond = length > original;
        float[] frequencies = new float[dim / 2];
        for (int i = 0; i < frequencies.length; i++) {
            double own = (beyond ? rope.longFactor() : rope.shortFactor()).get(i);
            frequencies[i] = 1f / ((float) own * wavelengthFactor(rope.theta(), i, dim));
        }
        double factor = rope.factor() != 0 ? rope.factor() : (double) context / original;
        double scale = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
        return new Frequencies(frequencies, rope.attentionFactor() != 0 ? rope.attentionFactor() : scale);
    }

    /// Names the set of frequencies that sequences of `length` tokens use: lengths with the same variant share tables.
    static int variant(ModelConfig config, int length) {
        RopeConfig rope = config.rope();
        if (rope.type() == Type.DYNAMIC) return Math.max(length, config.maxSeqLen());
        if (rope.type() == Type.LONGROPE) return length > rope.originalMaxPositionEmbeddings() ? 1 : 0;
        return 0;
    }
}
