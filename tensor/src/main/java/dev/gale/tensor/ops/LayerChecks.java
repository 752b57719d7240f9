package dev.gale.tensor.ops;

import static dev.gale.tensor.ops.Checks.alike;
import static dev.gale.tensor.ops.Checks.dtype;
import static dev.gale.tensor.ops.Checks.f32Vector;
import static dev.gale.tensor.ops.Checks.floating;
import static dev.gale.tensor.ops.Checks.sameF32;
import static dev.gale.tensor.ops.Checks.sameMatrix;
import static dev.gale.tensor.ops.Checks.vector;
import static dev.gale.tensor.ops.Checks.wrong;

import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;

/// What each operation of `LayerOps` and the loss demand of their operands; see `Checks`.
public final class LayerChecks {
    private LayerChecks() {}

    public static void scale(Tensor y, Tensor x) {
        floating("scale", "y", y);
        floating("scale", "x", x);
        alike("scale", "y", y, "x", x);
    }

    public static void copyColumns(Tensor dst, Tensor src, Columns columns) {
        String op = "copyColumns";
        floating(op, "dst", dst);
        floating(op, "src", src);
        if (dst.rows() != src.rows()) throw wrong(op, "numbers of rows differ", "dst", dst, "src", src);
        if (columns.destinationEnd() > dst.cols()) throw wrong(op, "dst lacks columns of " + columns, "dst", dst);
        if (columns.sourceEnd() > src.cols()) throw wrong(op, "src lacks columns of " + columns, "src", src);
    }

    public static void layerNormForward(Tensor y, Tensor mean, Tensor rstd, Tensor x, Tensor w, Tensor bias) {
        String op = "layerNormForward";
        floating(op, "y", y);
        floating(op, "x", x);
        alike(op, "y", y, "x", x);
        layerNorms(op, x, w, mean, rstd);
        vector(op, "bias", bias, Math.toIntExact(w.size()), "w", w);
    }

    private static void layerNorms(String op, Tensor x, Tensor w, Tensor mean, Tensor rstd) {
        Checks.norms(op, x, w, rstd);
        f32Vector(op, "mean", mean, Math.toIntExact(rstd.size()), "x", x);
    }

    public static void layerNormBackward(Tensor dx, Tensor dw, Tensor dBias, Tensor dy, Tensor x, Tensor w, Tensor mean,
                                         Tensor rstd) {
        String op = "layerNormBackward";
        floating(op, "dy", dy);
        floating(op, "x", x);
        alike(op, "dy", dy, "x", x);
        layerNorms(op, x, w, mean, rstd);
        if (dw != null) f32Vector(op, "dw", dw, Math.toIntExact(w.size()), "w", w);
        if (dBias != null) f32Vector(op, "dBias", dBias, Math.toIntExact(w.size()), "w", w);
        if (dx == null) return;
        floating(op, "dx", dx);
        alike(op, "dx", dx, "x", x);
    }

    public static void linearCrossEntropy(Tensor stats, Tensor tokenLoss, Tensor dx, Tensor dw, Tensor dBias, Tensor x,
                                          Tensor w, Tensor bias, Tensor targets, Tensor gradScale, CrossEntropySpec spec) {
        String op = "linearCrossEntropy";
        floating(op, "x", x);
        floating(op, "w", w);
        dtype(op, "targets", targets, DType.I32);
        dtype(op, "stats", stats, DType.F32);
        if (x.cols() != w.cols()) throw wrong(op, "widths differ: %d != %d".formatted(x.cols(), w.cols()), "x", x, "w", w);
        if (targets.size() != x.rows()) throw wrong(op, "there must be one target per row", "targets", targets, "x", x);
        if (stats.size() != 2) throw wrong(op, "stats must have 2 elements", "stats", stats);
        if (tokenLoss != null) f32Vector(op, "tokenLoss", tokenLoss, x.rows(), "x", x);
        if (gradScale != null) f32Vector(op, "gradScale", gradScale, 1, "x", x);
        if (dw != null && spec.rows() == null) sameF32(op, "dw", dw, "w", w);
        if (dw != null && spec.rows() != null) rowsOfHead(op, dw, w, spec.rows());
        if (bias != null) vector(op, "bias", bias, w.rows(), "w", w);
        if (bias != null && spec.scale() != 1) {
            throw wrong(op, "with a bias scale must be 1, not " + spec.scale(), "bias", bias);
        }
        if (dBias != null) f32Vector(op, "dBias", dBias, w.rows(), "w", w);
        if (dBias != null && bias == null) throw wrong(op, "dBias needs a bias", "dBias", dBias);
        if (dx != null) {
            floating(op, "dx", dx);
            sameMatrix(op, "dx", dx, "x", x);
        }
    }

    private static void rowsOfHead(String op, Tensor dw, Tensor w, Tensor rows) {
        dtype(op, "rows", rows, DType.I32);
        dtype(op, "dw", dw, DType.F32);
        if (dw.rows() != rows.size()) throw wrong(op, "dw must have one row for each of rows", "dw", dw, "rows", rows);
        if (dw.cols() != w.cols()) throw wrong(op, "widths differ", "dw", dw, "w", w);
    }
}
