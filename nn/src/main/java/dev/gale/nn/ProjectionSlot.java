package dev.gale.nn;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Tape;
import java.util.function.UnaryOperator;

/// A place in a layer for a projection, where another can take its place.
final class ProjectionSlot {
    private Projection projection;

    private ProjectionSlot(Projection projection) {
        this.projection = projection;
    }

    /// Holds the plain projection of a path.
    static ProjectionSlot linear(WeightSource weights, String path, int out, int in, boolean biased) {
        String name = path + ".weight";
        return new ProjectionSlot(new Linear(path, Parameter.frozen(name, weights.projection(name, Shape.of(out, in))),
                biased ? DecoderLayer.parameter(weights, path + ".bias", out) : null));
    }

    /// As `linear`, without a bias, for a router.
    static ProjectionSlot router(WeightSource weights, String path, int out, int in) {
        String name = path + ".weight";
        return new ProjectionSlot(new Linear(path, Parameter.frozen(name, weights.router(name, Shape.of(out, in))), null));
    }

    Projection projection() {
        return projection;
    }

    void change(UnaryOperator<Projection> change) {
        projection = change.apply(projection);
    }

    Tensor forward(Tape tape, Tensor x, Tensor residual, ModelInput in) {
        return projection.forward(tape, x, residual, in);
    }
}
