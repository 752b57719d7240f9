package dev.gale.tensor.ops;

import static dev.gale.tensor.ops.Checks.dtype;
import static dev.gale.tensor.ops.Checks.floating;
import static dev.gale.tensor.ops.Checks.weight;
import static dev.gale.tensor.ops.Checks.wrong;

import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import java.util.List;

/// What each operation of `ExpertOps` demands of its operands; see `Checks`.
public final class ExpertChecks {
    private ExpertChecks() {}

    public static void route(String op, Tensor weights, Tensor experts, Tensor logits, RouteSpec spec) {
        floating(op, "logits", logits);
        dtype(op, "weights", weights, DType.F32);
        dtype(op, "experts", experts, DType.I32);
        choices(op, "weights", weights, logits.rows(), spec.perToken(), "logits", logits);
        choices(op, "experts", experts, logits.rows(), spec.perToken(), "logits", logits);
        int count = logits.cols();
        if (count % spec.groups() != 0 || count / spec.groups() * spec.groupsPerToken() < spec.perToken()) {
            throw wrong(op, "%d experts do not fit %s".formatted(count, spec), "logits", logits);
        }
    }

    public static void routeBackward(Tensor dLogits, Tensor dWeights, Tensor experts, Tensor logits, RouteSpec spec) {
        route("routeBackward", dWeights, experts, logits, spec);
        floating("routeBackward", "dLogits", dLogits);
        Checks.sameMatrix("routeBackward", "dLogits", dLogits, "logits", logits);
    }

    private static void choices(String op, String label, Tensor tensor, int rows, int cols, String otherLabel, Tensor other) {
        if (tensor.rows() == rows && tensor.cols() == cols) return;
        throw wrong(op, "%s must be [%d, %d]".formatted(label, rows, cols), label, tensor, otherLabel, other);
    }

    public static void groupByExpert(Tensor tokens, Tensor places, Tensor offsets, Tensor experts) {
        String op = "groupByExpert";
        dtype(op, "tokens", tokens, DType.I32);
        dtype(op, "places", places, DType.I32);
        dtype(op, "offsets", offsets, DType.I32);
        dtype(op, "experts", experts, DType.I32);
        if (tokens.size() != experts.size()) {
            throw wrong(op, "there must be one token per choice", "tokens", tokens, "experts", experts);
        }
        Checks.sameMatrix(op, "places", places, "experts", experts);
        if (offsets.size() < 2) {
            throw wrong(op, "offsets must have one element more than there are experts", "offsets", offsets);
        }
    }

    public static void combineForward(Tensor y, Tensor x, Tensor places, Tensor weights) {
        combine("combineForward", "y", y, x, places, weights);
    }

    public static void combineBackward(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor places, Tensor weights) {
        String op = "combineBackward";
        combine(op, "dy", dy, x, places, weights);
        if (dx != null) {
            floating(op, "dx", dx);
            Checks.sameMatrix(op, "dx", dx, "x", x);
        }
        if (dWeights == null) return;
        dtype(op, "dWeights", dWeights, DType.F32);
        if (weights == null) throw wrong(op, "dWeights needs weights", "dWeights", dWeights);
        Checks.sameMatrix(op, "dWeights", dWeights, "weights", weights);
    }

    private static void combine(String op, String yLabel, Tensor y, Tensor x, Tensor places, Tensor weights) {
        floating(op, yLabel, y);
        floating(op, "x", x);
        if (y.cols() != x.cols()) throw wrong(op, "widths differ", yLabel, y, "x", x);
        int perToken = places != null ? places.cols() : 1;
        if (places != null) {
            dtype(op, "places", places, DType.I32);
            if (places.rows() != y.rows()) {
                throw wrong(op, "there must be one row of places per token", "places", places, yLabel, y);
            }
        }
        if ((long) y.rows() * perToken != x.rows()) throw wrong(op, "there must be one row of x per choice", "x", x, yLabel, y);
        if (weights == null) return;
        dtype(op, "weights", weights, DType.F32);
        choices(op, "weights", weights, y.rows(), perToken, yLabel, y);
    }

    public static void groupedMatmul(Tensor c, Tensor a, List<Tensor> w, boolean transposeW, Tensor offsets) {
        String op = "groupedMatmul";
        floating(op, "c", c);
        floating(op, "a", a);
        offsets(op, w, offsets, a);
        if (c.rows() != a.rows()) throw wrong(op, "numbers of rows differ", "c", c, "a", a);
        for (Tensor one : w) {
            if (one == null) continue;
            weight(op, one);
            int in = transposeW ? one.cols() : one.rows();
            int out = transposeW ? one.rows() : one.cols();
            if (in != a.cols() || out != c.cols()) {
                throw wrong(op, "inner or outer dimensions differ", "c", c, "a", a, "w", one);
            }
        }
    }

    public static void groupedGradient(List<Tensor> dw, Tensor a, Tensor b, Tensor offsets) {
        String op = "groupedGradient";
        floating(op, "a", a);
        floating(op, "b", b);
        offsets(op, dw, offsets, a);
        if (a.rows() != b.rows()) throw wrong(op, "numbers of rows differ", "a", a, "b", b);
        for (Tensor one : dw) {
            if (one == null) continue;
            dtype(op, "dw", one, DType.F32);
            if (one.rows() != a.cols() || one.cols() != b.cols()) {
                throw wrong(op, "dw must be [%d, %d]".formatted(a.cols(), b.cols()), "dw", one, "a", a, "b", b);
            }
        }
    }

    private static void offsets(String op, List<Tensor> experts, Tensor offsets, Tensor a) {
        dtype(op, "offsets", offsets, DType.I32);
        if (offsets.size() != experts.size() + 1) {
            throw wrong(op, "offsets must have %d elements".formatted(experts.size() + 1), "offsets", offsets, "a", a);
        }
    }
}
