package dev.gale.peft;

import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Where A and B begin: PEFT's `init_lora_weights`.
///
/// @param method     what makes the starting values
/// @param iterations of `PISSA`'s randomised SVD, PEFT's `pissa_niter_N`; 0 is the SVD itself
public record InitLoraWeights(Method method, int iterations) {

    /// Makers of starting values. W is the weight of the base, s the scale of the update.
    ///
    /// - `KAIMING` (PEFT: true): A uniform in `±1/sqrt(in)`, B zero.
    /// - `GAUSSIAN`: A normal with standard deviation `1/r`, B zero.
    /// - `RANDOM` (PEFT: false): A uniform in `±1/sqrt(in)`, B uniform in `±1/sqrt(r)`; this changes the model.
    /// - `ORTHOGONAL`: both normal over the halves of an orthogonal matrix, so that `B A = 0`; r is even.
    /// - `PISSA`: of `W = U S Vᵀ` the first r parts, `A = sqrt(S/s) Vᵀ`, `B = U sqrt(S/s)`, and the base becomes
    ///   `W - s B A` (arXiv 2404.02948).
    /// - `OLORA`: of `W = Q R` the first r parts, `A = R`, `B = Q`, and the base becomes `W - s B A` (arXiv 2406.01775).
    /// - `LOFTQ`: the base becomes its 4-bit quantization and `s B A` what that lacks (arXiv 2310.08659).
    /// - `EVA`: A the principal components of what goes into the layer, B zero (arXiv 2410.07170).
    public enum Method { KAIMING, GAUSSIAN, RANDOM, ORTHOGONAL, PISSA, OLORA, LOFTQ, EVA }

    /// What people may write.
    public static final String EXPECTED =
            "true, false, gaussian, orthogonal, pissa, pissa_niter_N, olora, loftq or eva";

    public static final InitLoraWeights KAIMING = new InitLoraWeights(Method.KAIMING, 0);
    public static final InitLoraWeights GAUSSIAN = new InitLoraWeights(Method.GAUSSIAN, 0);
    public static final InitLoraWeights RANDOM = new InitLoraWeights(Method.RANDOM, 0);
    public static final InitLoraWeights ORTHOGONAL = new InitLoraWeights(Method.ORTHOGONAL, 0);
    public static final InitLoraWeights PISSA = new InitLoraWeights(Method.PISSA, 0);
    public static final InitLoraWeights OLORA = new InitLoraWeights(Method.OLORA, 0);
    public static final InitLoraWeights LOFTQ = new InitLoraWeights(Method.LOFTQ, 0);
    public static final InitLoraWeights EVA = new InitLoraWeights(Method.EVA, 0);

    private static final Pattern NITER = Pattern.compile("pissa_niter_(\\d{1,4})");

    /// What a value of the option means; empty when it means nothing.
    ///
    /// @param value Boolean or String
    public static Optional<InitLoraWeights> of(Object value) {
        if (value instanceof Boolean drawn) return Optional.of(drawn ? KAIMING : RANDOM);
        if (!(value instanceof String name)) return Optional.empty();
        String lower = name.toLowerCase(Locale.ROOT);
        Matcher niter = NITER.matcher(lower);
        if (niter.matches() && Integer.parseInt(niter.group(1)) > 0) {
            return Optional.of(new InitLoraWeights(Method.PISSA, Integer.parseInt(niter.group(1))));
        }
        return switch (lower) {
            case "gaussian" -> Optional.of(GAUSSIAN);
            case "orthogonal" -> Optional.of(ORTHOGONAL);
            case "pissa" -> Optional.of(PISSA);
            case "olora" -> Optional.of(OLORA);
            case "loftq" -> Optional.of(LOFTQ);
            case "eva" -> Optional.of(EVA);
            default -> Optional.empty();
        };
    }

    /// The value of the option: Boolean or String.
    public Object value() {
        return switch (method) {
            case KAIMING -> true;
            case RANDOM -> false;
            case PISSA -> iterations == 0 ? "pissa" : "pissa_niter_" + iterations;
            default -> method.name().toLowerCase(Locale.ROOT);
        };
    }

    /// Whether the base's weights are others with the adapter than without.
    public boolean changesBase() {
        return method == Method.PISSA || method == Method.OLORA || method == Method.LOFTQ;
    }

    /// Whether random numbers, which are nobody else's, decide how the base's weights are changed.
    public boolean isDrawnFromWeight() {
        return method == Method.PISSA && iterations > 0;
    }
}
