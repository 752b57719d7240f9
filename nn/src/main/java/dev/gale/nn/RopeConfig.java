package dev.gale.nn;

import java.util.List;

/// How rotary position embeddings choose their frequencies, with the names of Hugging Face's `rope_parameters`.
/// Numbers that a type does not use are 0, lists empty.
///
/// @param type                          which formula, see `RopeTable`
/// @param theta                         base of the geometric series of wavelengths
/// @param partialRotaryFactor           share of a head that is rotated
/// @param factor                        how many times longer the context became; 0 when the file does not say
///                                      (longrope, yarn)
/// @param originalMaxPositionEmbeddings context length before it was stretched (llama3, yarn, longrope)
/// @param lowFreqFactor                 llama3: wavelengths above original / this are divided by factor
/// @param highFreqFactor                llama3: wavelengths below original / this stay
/// @param attentionFactor               yarn, longrope: factor on cos and sin; 0 when the formula decides
/// @param betaFast                      yarn: rotations in the original context above which frequencies stay
/// @param betaSlow                      yarn: rotations below which they are divided by factor
/// @param mscale                        yarn: numerator of the attention factor; 0 when not given
/// @param mscaleAllDim                  yarn: its denominator; 0 when not given
/// @param truncate                      yarn: whether the bounds of the ramp are rounded to whole dimensions
/// @param shortFactor                   longrope: divisor of each frequency up to the original context
/// @param longFactor                    longrope: divisor of each frequency beyond it
public record RopeConfig(Type type, double theta, double partialRotaryFactor, double factor,
                         int originalMaxPositionEmbeddings, double lowFreqFactor, double highFreqFactor,
                         double attentionFactor, double betaFast, double betaSlow, double mscale, double mscaleAllDim,
                         boolean truncate, List<Double> shortFactor, List<Double> longFactor) {

    /// The formulas by which frequencies are chosen; names in lower case are those of the files.
    public enum Type { DEFAULT, LINEAR, DYNAMIC, LLAMA3, YARN, LONGROPE }

    public RopeConfig {
        shortFactor = List.copyOf(shortFactor);
        longFactor = List.copyOf(longFactor);
    }

    /// Longest sequence after which a longer one has other frequencies for all of its tokens, so that cached keys are not those
    /// of the longer one: in Phi-3's models. Those of `dynamic` change too, but Transformers keeps what is cached.
    public int changesAt() {
        return type == Type.LONGROPE ? originalMaxPositionEmbeddings : Integer.MAX_VALUE;
    }

    /// The plain rotary embedding of Su et al. 2021.
    public static RopeConfig plain(double theta) {
        return new RopeConfig(Type.DEFAULT, theta, 1, 1, 0, 0, 0, 0, 32, 1, 0, 0, true, List.of(), List.of());
    }
}
