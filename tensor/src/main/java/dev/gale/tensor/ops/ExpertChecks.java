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

    public static void balanceForward(Tensor sums, Tensor experts, Tensor logits, Tensor present) {
        String op = "balanceForward";
        balance(op, sums, logits, present);
        dtype(op, "experts", experts, DType.I32);
        choices(op, "experts", experts, logits.rows(), experts.cols(), "logits", logits);
    }

    public static void balanceBackward(Tensor dLogits, Tensor sums, Tensor logits, Tensor present, Tensor factor) {
        String op = "balanceBackward";
        balance(op, sums, logits, present);
        floating(op, "dLogits", dLogits);
        Checks.sameMatrix(op, "dLogits", dLogits, "logits", logits);
        dtype(op, "factor", factor, DType.F32);
        if (factor.size() != 1) throw wrong(op, "factor must have one element", "factor", factor);
    }

    private static void balance(String op, Tensor sums, Tensor logits, Tensor present) {
        floating(op, "logits", logits);
        dtype(op, "sums", sums, DType.F32);
        choices(op, "sums", sums, 2, logits.cols(), "logits", logits);
        dtype(op, "present", present, DType.I32);
        if (present.size() == logits.rows()) return;
        throw wrong(op, "there must be one number per token", "present", present, "logits", logits);
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

    public static void groupedLinearForward(Tensor y, Tensor x, List<Tensor> w, Tensor offsets, GroupedLowRank side) {
        String op = "groupedLinearForward";
        floating(op, "x", x);
        offsets(op, w, offsets, x);
        if (y != null) groupedMatmul(y, x, w, true, offsets);
        if (side != null) side(op, side, x, w, offsets);
    }

    public static void groupedLinearBackward(Tensor dx, Tensor dy, List<Tensor> w, Tensor offsets, GroupedLowRank side,
                                             GroupedLowRankGrads sideGrads) {
        String op = "groupedLinearBackward";
        floating(op, "dy", dy);
        offsets(op, w, offsets, dy);
        if (dx != null) groupedMatmul(dx, dy, w, false, offsets);
        if ((side == null) != (sideGrads == null)) throw wrong(op, "side and sideGrads go together", "dy", dy);
        if (side == null) return;
        side(op, side, dy, w, offsets);
        Checks.sameMatrix(op, "dLow", sideGrads.dLow(), "low", side.low());
        groupedMatmul(sideGrads.dLow(), dy, side.b(), false, offsets);
        if (sideGrads.dA() != null) groupedGradient(sideGrads.dA(), sideGrads.dLow(), side.input(), offsets);
        if (sideGrads.dB() != null) groupedGradient(sideGrads.dB(), dy, side.low(), offsets);
        if (sideGrads.dInput() != null) groupedMatmul(sideGrads.dInput(), sideGrads.dLow(), side.a(), false, offsets);
        if (sideGrads.dInput() == null && dx != null) groupedMatmul(dx, sideGrads.dLow(), side.a(), false, offsets);
    }

    /// @param rows x or dy
    private static void side(String op, GroupedLowRank side, Tensor rows, List<Tensor> w, Tensor offsets) {
        groupedMatmul(side.low(), side.input(), side.a(), true, offsets);
        if (side.input().rows() != rows.rows()) throw wrong(op, "numbers of rows differ", "input", side.input(), "rows", rows);
        if (side.b().size() != w.size()) {
            throw wrong(op, "there must be a b or null for each of the %d experts".formatted(w.size()), "offsets", offsets);
        }
        for (int e = 0; e < w.size(); e++) {
            Tensor a = side.a().get(e);
            Tensor b = side.b().get(e);
            if ((a == null) != (b == null)) throw wrong(op, "a and b go together", a == null ? "b" : "a", a == null ? b : a);
            if (b == null || w.get(e) == null) continue;
            if (b.rows() != w.get(e).rows() || b.cols() != side.low().cols()) {
                throw wrong(op, "b must be [%d, %d]".formatted(w.get(e).rows(), side.low().cols()), "b", b, "w", w.get(e));
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
