package dev.gale.tensor.ops;

/// The gate functions and their derivatives in double.
final class ReferenceGate {
    private static final double TANH_SCALE = Math.sqrt(2 / Math.PI);
    private static final double TANH_CUBIC = 0.044715;

    private ReferenceGate() {}

    static double value(Activation activation, double x) {
        return switch (activation) {
            case SILU -> x * sigmoid(x);
            case GELU -> x / 2 * (1 + erf(x / Math.sqrt(2)));
            case GELU_TANH -> x / 2 * (1 + Math.tanh(inner(x)));
            case SIGMOID -> sigmoid(x);
        };
    }

    static double slope(Activation activation, double x) {
        return switch (activation) {
            case SILU -> sigmoid(x) * (1 + x * (1 - sigmoid(x)));
            case SIGMOID -> sigmoid(x) * (1 - sigmoid(x));
            case GELU -> (1 + erf(x / Math.sqrt(2))) / 2 + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
            case GELU_TANH -> {
                double t = Math.tanh(inner(x));
                yield (1 + t) / 2 + x / 2 * (1 - t * t) * TANH_SCALE * (1 + 3 * TANH_CUBIC * x * x);
            }
        };
    }

    private static double inner(double x) {
        return TANH_SCALE * (x + TANH_CUBIC * x * x * x);
    }

    private static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    /// `2 / sqrt(pi) exp(-x²) sum_n 2ⁿ x²ⁿ⁺¹ / (2n + 1)!!`: all terms have the sign of x, so nothing cancels.
    /// Beyond 6 the result is 1 to the last bit of a double.
    static double erf(double x) {
        if (Math.abs(x) > 6) return Math.signum(x);
        double term = x;
        double sum = x;
        for (int n = 1; Math.abs(term) > 0x1p-60 * Math.abs(sum); n++) {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }
        return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
    }
}
