package dev.gale.tensor.testing;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;
import java.util.Random;

/// Compares the gradients that backward makes with finite differences of a scalar in double.
///
/// For each parameter and several directions u of signs, the derivative along u is `g·u` by backward and
/// `D(h) = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h` by differences, where f(s) is the scalar at `p + s u`. Values
/// lie on a grid of 2^-10 and h is a power of two, so every `p + s u` is exact in F32. What remains is
/// - truncation, of order h^4, so that D(h/2) is 16 times closer than D(h): a quarter of `|D(h) - D(h/2)|` leaves room;
/// - storage of results in F32: half an ulp of the terms of f, 18 / 12 times over h / 2, and of the terms of `g·u`;
///   both times 4 for what is stored on the way.
/// The bound is their sum. It must be below a thousandth of the gradient's norm, or the check would prove little.
public final class GradCheck {
    private static final double STEP = 0x1p-5;
    private static final double GRID = 0x1p-10;
    private static final double UNIT = 0x1p-24;
    private static final int STORED_ON_THE_WAY = 4;
    private static final int DIRECTIONS = 6;

    private final TensorOps ops;
    private final List<Parameter> parameters;
    private final Objective objective;

    private GradCheck(TensorOps ops, List<Parameter> parameters, Objective objective) {
        this.ops = ops;
        this.parameters = parameters;
        this.objective = objective;
    }

    /// A forward pass to one activation.
    @FunctionalInterface
    public interface Pass {
        Tensor run(Tape tape);
    }

    /// A forward pass to a loss, which it adds to `stats[0]`.
    @FunctionalInterface
    public interface LossPass {
        void run(Tape tape, Tensor stats);
    }

    /// A scalar, and the sum of magnitudes that it was added up from.
    private record Value(double value, double magnitude) {}

    private interface Objective {
        Value evaluate(Tape tape);
    }

    /// Checks the gradients of a weighted sum of the pass's output in F32 parameters of any values in [-2, 2], which
    /// are moved to the grid.
    /// Throws: AssertionError naming the parameter, both derivatives and the bound.
    public static void ofOutput(TensorOps ops, List<Parameter> parameters, Pass pass) {
        new GradCheck(ops, parameters, tape -> {
            Tensor y = pass.run(tape);
            float[] weights = Fixtures.uniform((int) y.size(), 77);
            ops.write(tape.rootGradient(y), weights);
            float[] values = ops.toFloats(y);
            double sum = 0;
            double magnitude = 0;
            for (int i = 0; i < values.length; i++) {
                sum += (double) weights[i] * values[i];
                magnitude += Math.abs((double) weights[i] * values[i]);
            }
            return new Value(sum, magnitude);
        }).check();
    }

    /// As `ofOutput`, of a loss.
    public static void ofLoss(TensorOps ops, List<Parameter> parameters, LossPass pass) {
        new GradCheck(ops, parameters, tape -> {
            Tensor stats = tape.allocate("stats", Shape.of(2));
            ops.fill(stats, 0f);
            pass.run(tape, stats);
            double loss = ops.toFloats(stats)[0];
            return new Value(loss, Math.abs(loss));
        }).check();
    }

    private void check() {
        parameters.forEach(this::moveToGrid);
        double magnitude;
        parameters.forEach(parameter -> parameter.zeroGrad(ops));
        try (Tape tape = Tape.recording(ops)) {
            magnitude = objective.evaluate(tape).magnitude();
            tape.backward();
        }
        // before more is added
        List<float[]> gradients = parameters.stream().map(p -> ops.toFloats(p.grad(ops))).toList();
        for (int i = 0; i < gradients.size(); i++) {
            for (int seed = 0; seed < DIRECTIONS; seed++) {
                compare(parameters.get(i), gradients.get(i), signs(gradients.get(i).length, seed), magnitude);
            }
        }
    }

    private void moveToGrid(Parameter parameter) {
        if (parameter.value().dtype() != DType.F32) throw new IllegalArgumentException(parameter + " must be F32");
        float[] values = ops.toFloats(parameter.value());
        for (int i = 0; i < values.length; i++) values[i] = (float) (Math.round(values[i] / GRID) * GRID);
        ops.write(parameter.value(), values);
    }

    private static float[] signs(int n, int seed) {
        Random random = new Random(seed);
        float[] signs = new float[n];
        for (int i = 0; i < n; i++) signs[i] = random.nextBoolean() ? 1 : -1;
        return signs;
    }

    private void compare(Parameter parameter, float[] gradient, float[] direction, double magnitude) {
        double along = 0;
        double sum = 0;
        double squares = 0;
        for (int i = 0; i < gradient.length; i++) {
            along += (double) gradient[i] * direction[i];
            sum += Math.abs(gradient[i]);
            squares += (double) gradient[i] * gradient[i];
        }
        double coarse = difference(parameter, direction, STEP);
        double fine = difference(parameter, direction, STEP / 2);
        double storage = STORED_ON_THE_WAY * UNIT * (magnitude * 18 / 12 / (STEP / 2) + sum);
        double bound = Math.abs(coarse - fine) / 4 + storage;
        double error = Math.abs(along - fine);
        String what = "gradient of %s along a direction: backward %.9g, differences %.9g, bound %.3g, norm %.3g"
                .formatted(parameter, along, fine, bound, Math.sqrt(squares));
        if (!(error <= bound)) throw new AssertionError(what);
        if (!(bound <= 1e-3 * Math.sqrt(squares))) throw new AssertionError("the check is too coarse: " + what);
    }

    private double difference(Parameter parameter, float[] direction, double h) {
        float[] at = ops.toFloats(parameter.value());
        double near = valueAt(parameter, at, direction, h) - valueAt(parameter, at, direction, -h);
        double far = valueAt(parameter, at, direction, 2 * h) - valueAt(parameter, at, direction, -2 * h);
        ops.write(parameter.value(), at);
        return (8 * near - far) / (12 * h);
    }

    private double valueAt(Parameter parameter, float[] at, float[] direction, double step) {
        float[] moved = at.clone();
        for (int i = 0; i < moved.length; i++) moved[i] += (float) step * direction[i];
        ops.write(parameter.value(), moved);
        try (Tape tape = Tape.recording(ops)) {
            return objective.evaluate(tape).value();
        }
    }
}
