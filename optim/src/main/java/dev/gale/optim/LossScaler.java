package dev.gale.optim;

import dev.gale.tensor.InputException;
import java.util.Map;

/// Dynamic loss scaling for gradients that F16 could not hold: mean losses are multiplied by `scale` before backward, gradients
/// divided by it in the update. A step whose gradients are not finite is left out, and the scale halved; it doubles after
/// 2000 steps in a row without one.
/// Source: Micikevicius et al. 2017, arXiv 1710.03740, section 3.2; torch.amp.GradScaler and its defaults.
public final class LossScaler {
    private static final double FIRST = 65536;
    private static final double GROWTH = 2;
    private static final double BACKOFF = 0.5;
    private static final int INTERVAL = 2000;

    private double scale = FIRST;
    private int clean;                       // steps in a row
    private int skipped;

    /// What mean losses are multiplied by now.
    public double scale() {
        return scale;
    }

    /// The factor on the gradients of a *sum* of token losses: the scale over the number of tokens, rounded up to a power of
    /// two. While the scale is one too, multiplying by the factor changes no bit but of what is too small or too large.
    ///
    /// @param trainedTokens of the step, at least 1
    public float sumScale(long trainedTokens) {
        long power = Long.highestOneBit(trainedTokens);
        return (float) (scale / (power == trainedTokens ? power : 2 * power));
    }

    /// Says how a step with this scale went. Returns: whether to update parameters; if not, the step is to be left out.
    ///
    /// @param gradNorm of the gradients; not finite when one of them is not
    public boolean update(double gradNorm) {
        if (!Double.isFinite(gradNorm)) {
            scale *= BACKOFF;
            clean = 0;
            skipped++;
            return false;
        }
        if (++clean == INTERVAL) {
            if (scale * GROWTH <= Float.MAX_VALUE) scale *= GROWTH;
            clean = 0;
        }
        return true;
    }

    /// Steps that were left out.
    public int skipped() {
        return skipped;
    }

    /// Whether the scale has fallen so low that it no longer can be what makes gradients infinite.
    public boolean isExhausted() {
        return scale < 1;
    }

    /// What a later run needs to go on from here.
    public Map<String, Double> state() {
        return Map.of("scale", scale, "growth_tracker", (double) clean, "skipped", (double) skipped);
    }

    /// Takes over what `state` gave in an earlier run.
    /// Throws: InputException when it is not that.
    ///
    /// @param source where it comes from, named in error messages
    public void restore(Map<String, Double> state, String source) {
        Double savedScale = state.get("scale");
        Double savedClean = state.get("growth_tracker");
        Double savedSkipped = state.get("skipped");
        if (savedScale == null || savedClean == null || savedSkipped == null || !(savedScale > 0)) {
            throw new InputException("%s: the state of the loss scaler must be scale, growth_tracker and skipped, found %s"
                    .formatted(source, state));
        }
        scale = savedScale;
        clean = savedClean.intValue();
        skipped = savedSkipped.intValue();
    }
}
