package dev.gale.tensor.ops;

import dev.gale.tensor.DType;
import dev.gale.tensor.ShapeException;
import dev.gale.tensor.Tensor;

/// What each operation demands of its operands, written once: every implementation of `TensorOps` calls the method of
/// the operation's name first. Matrices may have any rank (rows are all extents but the last), vectors any of their
/// size.
/// Throws: ShapeException that names the operation, what is wrong and the operands. Nothing is allocated otherwise.
public final class Checks {
    private Checks() {}

    // ---- between host and device ----

    public static void write(Tensor dst, int length, boolean floats) {
        if (floats) floating("write", "dst", dst);
        else dtype("write", "dst", dst, DType.I32);
        if (dst.size() != length) throw wrong("write", length + " values do not fill dst", "dst", dst);
    }

    public static void write(Tensor dst, long at, int length) {
        floating("write", "dst", dst);
        if (at >= 0 && at + length <= dst.size()) return;
        throw wrong("write", "%d values from %d on do not fit into dst".formatted(length, at), "dst", dst);
    }

    public static void bytes(String op, Tensor tensor, long length) {
        present(op, "tensor", tensor);
        if (tensor.byteSize() != length) throw wrong(op, length + " bytes are not those of tensor", "tensor", tensor);
    }

    /// Returns: the number of elements.
    public static int read(String op, Tensor src, boolean floats) {
        if (floats) floating(op, "src", src);
        else dtype(op, "src", src, DType.I32);
        if (src.size() > Integer.MAX_VALUE - 8) throw wrong(op, "src is larger than an array can be", "src", src);
        return (int) src.size();
    }

    public static void item(Tensor src) {
        floating("item", "src", src);
        if (src.size() != 1) throw wrong("item", "src must have one element", "src", src);
    }

    // ---- elementwise ----

    public static void copy(Tensor dst, Tensor src) {
        floating("copy", "dst", dst);
        floating("copy", "src", src);
        if (dst.size() != src.size()) throw wrong("copy", "numbers of elements differ", "dst", dst, "src", src);
    }

    public static void quantize(Tensor q, Tensor src) {
        quantized("quantize", "q", q);
        floating("quantize", "src", src);
        if (q.size() != src.size()) throw wrong("quantize", "numbers of elements differ", "q", q, "src", src);
    }

    public static void dequantize(Tensor dst, Tensor q) {
        floating("dequantize", "dst", dst);
        quantized("dequantize", "q", q);
        if (dst.size() != q.size()) throw wrong("dequantize", "numbers of elements differ", "dst", dst, "q", q);
    }

    public static void fill(Tensor dst) {
        present("fill", "dst", dst);
        if (dst.dtype().quantized()) throw wrong("fill", "dst must not be quantized", "dst", dst);
    }

    public static void add(Tensor y, Tensor a, Tensor b) {
        floating("add", "y", y);
        floating("add", "a", a);
        floating("add", "b", b);
        alike("add", "y", y, "a", a);
        alike("add", "y", y, "b", b);
    }

    public static void addScaled(Tensor y, Tensor x) {
        floating("addScaled", "y", y);
        floating("addScaled", "x", x);
        alike("addScaled", "y", y, "x", x);
    }

    public static void columnSum(Tensor sums, Tensor x) {
        floating("columnSum", "x", x);
        vector("columnSum", "sums", sums, x.cols(), "x", x);
    }

    public static void dropout(Tensor y, Tensor x, float p, Tensor rng) {
        floating("dropout", "y", y);
        floating("dropout", "x", x);
        alike("dropout", "y", y, "x", x);
        dtype("dropout", "rng", rng, DType.I32);
        if (rng.size() < 4) throw wrong("dropout", "rng must have 4 elements or more", "rng", rng);
        if (!(p >= 0 && p < 1)) throw wrong("dropout", "p must be in [0, 1), got " + p, "x", x);
    }

    // ---- lookups ----

    public static void gatherRows(Tensor y, Tensor table, Tensor ids) {
        rowsByIds("gatherRows", "y", y, "table", table, ids);
    }

    public static void scatterAddRows(Tensor dTable, Tensor dy, Tensor ids) {
        rowsByIds("scatterAddRows", "dy", dy, "dTable", dTable, ids);
        dtype("scatterAddRows", "dTable", dTable, DType.F32);
    }

    private static void rowsByIds(String op, String rowsLabel, Tensor rows, String tableLabel, Tensor table,
            Tensor ids) {
        floating(op, rowsLabel, rows);
        floating(op, tableLabel, table);
        dtype(op, "ids", ids, DType.I32);
        if (rows.cols() != table.cols()) throw wrong(op, "widths differ", rowsLabel, rows, tableLabel, table);
        if (ids.size() != rows.rows()) throw wrong(op, "there must be one id per row", rowsLabel, rows, "ids", ids);
    }

    // ---- matrix products ----

    public static void matmul(Tensor c, Tensor a, boolean transposeA, Tensor b, boolean transposeB) {
        floating("matmul", "c", c);
        floating("matmul", "a", a);
        floating("matmul", "b", b);
        int m = transposeA ? a.cols() : a.rows();
        int k = transposeA ? a.rows() : a.cols();
        int n = transposeB ? b.rows() : b.cols();
        int kOfB = transposeB ? b.cols() : b.rows();
        if (k != kOfB) {
            throw wrong("matmul" + transposes(transposeA, transposeB),
                    "inner dimensions differ: %d != %d".formatted(k, kOfB),
                    "a", a, "b", b);
        }
        if (c.rows() != m || c.cols() != n) {
            throw wrong("matmul" + transposes(transposeA, transposeB), "c must be [%d, %d]".formatted(m, n), "c", c,
                    "a", a, "b", b);
        }
    }

    private static String transposes(boolean a, boolean b) {
        return " of %s and %s".formatted(a ? "aᵀ" : "a", b ? "bᵀ" : "b");
    }

    public static void linearForward(Tensor y, Tensor x, Tensor w, Tensor bias, Tensor residual, LowRank side) {
        inner("linearForward", "x", x, w);
        if (y != null) outer("linearForward", "y", y, "x", x, w);
        if (bias != null) vector("linearForward", "bias", bias, w.rows(), "w", w);
        if (residual != null) {
            outer("linearForward", "residual", residual, "x", x, w);
        }
        if (side != null) side("linearForward", side, x, w);
    }

    public static void linearBackward(Tensor dx, Tensor dy, Tensor w, LowRank side, LowRankGrads sideGrads) {
        String op = "linearBackward";
        floating(op, "dy", dy);
        weight(op, w);
        if (dy.cols() != w.rows()) throw wrong(op, "dy must have %d columns".formatted(w.rows()), "dy", dy, "w", w);
        if (dx != null) {
            inner(op, "dx", dx, w);
            outer(op, "dy", dy, "dx", dx, w);
        }
        if ((side == null) != (sideGrads == null)) throw wrong(op, "side and sideGrads go together", "dy", dy, "w", w);
        if (side == null) return;
        side(op, side, dy, w);
        if (sideGrads.dA() != null) sameF32(op, "dA", sideGrads.dA(), "a", side.a());
        if (sideGrads.dB() != null) sameF32(op, "dB", sideGrads.dB(), "b", side.b());
        floating(op, "dLow", sideGrads.dLow());
        sameMatrix(op, "dLow", sideGrads.dLow(), "low", side.low());
        if (sideGrads.dInput() != null) {
            floating(op, "dInput", sideGrads.dInput());
            sameMatrix(op, "dInput", sideGrads.dInput(), "input", side.input());
        }
    }

    private static void inner(String op, String xLabel, Tensor x, Tensor w) {
        floating(op, xLabel, x);
        weight(op, w);
        if (x.cols() != w.cols()) {
            throw wrong(op, "inner dimensions differ: %d != %d".formatted(x.cols(), w.cols()), xLabel, x, "w", w);
        }
    }

    private static void outer(String op, String yLabel, Tensor y, String xLabel, Tensor x, Tensor w) {
        floating(op, yLabel, y);
        if (y.rows() != x.rows() || y.cols() != w.rows()) {
            throw wrong(op, "%s must be [%d, %d]".formatted(yLabel, x.rows(), w.rows()), yLabel, y, xLabel, x, "w", w);
        }
    }

    private static void side(String op, LowRank side, Tensor rowsLike, Tensor w) {
        floating(op, "side.input", side.input());
        floating(op, "side.a", side.a());
        floating(op, "side.b", side.b());
        floating(op, "side.low", side.low());
        int r = side.a().rows();
        if (side.input().cols() != w.cols() || side.input().rows() != rowsLike.rows()) {
            throw wrong(op, "side.input must be [%d, %d]".formatted(rowsLike.rows(), w.cols()), "side.input",
                    side.input(), "w", w);
        }
        if (side.a().cols() != w.cols()) {
            throw wrong(op, "side.a must be [r, %d]".formatted(w.cols()), "side.a",
                    side.a(), "w", w);
        }
        if (side.b().cols() != r || side.b().rows() != w.rows()) {
            throw wrong(op, "side.b must be [%d, %d]".formatted(w.rows(), r), "side.b", side.b(), "side.a", side.a(),
                    "w", w);
        }
        if (side.low().cols() != r || side.low().rows() != rowsLike.rows()) {
            throw wrong(op, "side.low must be [%d, %d]".formatted(rowsLike.rows(), r), "side.low", side.low(), "side.a",
                    side.a());
        }
    }

    // ---- lengths of weight rows ----

    public static void rowNorm(Tensor norm, Tensor base, Tensor b, Tensor cross, Tensor gram) {
        String op = "rowNorm";
        floating(op, "b", b);
        floating(op, "cross", cross);
        sameMatrix(op, "cross", cross, "b", b);
        f32Vector(op, "norm", norm, b.rows(), "b", b);
        if (base != null) f32Vector(op, "base", base, b.rows(), "b", b);
        if (gram == null) return;
        dtype(op, "gram", gram, DType.F32);
        if (gram.rows() != b.cols() || gram.cols() != b.cols()) {
            throw wrong(op, "gram must be [%d, %d]".formatted(b.cols(), b.cols()), "gram", gram, "b", b);
        }
    }

    public static void columnScaleForward(Tensor y, Tensor x, Tensor magnitude, Tensor norm, Tensor bias,
                                          Tensor residual) {
        String op = "columnScaleForward";
        floating(op, "y", y);
        floating(op, "x", x);
        alike(op, "y", y, "x", x);
        scales(op, x, magnitude, norm);
        if (bias != null) vector(op, "bias", bias, x.cols(), "x", x);
        if (residual == null) return;
        floating(op, "residual", residual);
        alike(op, "residual", residual, "x", x);
    }

    public static void columnScaleBackward(Tensor dx, Tensor dMagnitude, Tensor dy, Tensor x, Tensor magnitude,
                                           Tensor norm) {
        String op = "columnScaleBackward";
        floating(op, "dy", dy);
        scales(op, dy, magnitude, norm);
        if (dx != null) {
            floating(op, "dx", dx);
            alike(op, "dx", dx, "dy", dy);
        }
        if (dMagnitude == null) return;
        f32Vector(op, "dMagnitude", dMagnitude, dy.cols(), "dy", dy);
        floating(op, "x", x);
        alike(op, "x", x, "dy", dy);
    }

    private static void scales(String op, Tensor x, Tensor magnitude, Tensor norm) {
        f32Vector(op, "magnitude", magnitude, x.cols(), "x", x);
        f32Vector(op, "norm", norm, x.cols(), "x", x);
    }

    // ---- normalisation, position, activation ----

    public static void rmsNormForward(Tensor y, Tensor rstd, Tensor x, Tensor w) {
        String op = "rmsNormForward";
        floating(op, "y", y);
        floating(op, "x", x);
        alike(op, "y", y, "x", x);
        norms(op, x, w, rstd);
    }

    public static void rmsNormBackward(Tensor dx, Tensor dw, Tensor dy, Tensor x, Tensor w, Tensor rstd) {
        String op = "rmsNormBackward";
        floating(op, "dy", dy);
        floating(op, "x", x);
        alike(op, "dy", dy, "x", x);
        norms(op, x, w, rstd);
        if (dw != null) f32Vector(op, "dw", dw, Math.toIntExact(w.size()), "w", w);
        if (dx != null) {
            floating(op, "dx", dx);
            alike(op, "dx", dx, "x", x);
        }
    }

    static void norms(String op, Tensor x, Tensor w, Tensor rstd) {
        floating(op, "w", w);
        if (w.size() == 0 || x.cols() % w.size() != 0) throw wrong(op, "w must divide the columns of x", "w", w, "x", x);
        f32Vector(op, "rstd", rstd, Math.toIntExact(x.size() / w.size()), "x", x);
    }

    public static void rope(Tensor q, Tensor k, Tensor cos, Tensor sin, Tensor positions, AttentionSpec spec) {
        dtype("rope", "cos", cos, DType.F32);
        dtype("rope", "sin", sin, DType.F32);
        dtype("rope", "positions", positions, DType.I32);
        alike("rope", "cos", cos, "sin", sin);
        if (2 * cos.cols() > spec.headDim()) {
            throw wrong("rope", "cos may have at most head_dim / 2 = %d columns".formatted(spec.headDim() / 2), "cos",
                    cos);
        }
        if (q != null) ropeOperand("q", q, spec.queryWidth(), positions);
        if (k != null) ropeOperand("k", k, spec.keyWidth(), positions);
    }

    private static void ropeOperand(String label, Tensor x, int width, Tensor positions) {
        floating("rope", label, x);
        if (x.cols() != width) throw wrong("rope", "%s must have %d columns".formatted(label, width), label, x);
        if (x.rows() != positions.size()) {
            throw wrong("rope", "there must be one position per row", label, x, "positions", positions);
        }
    }

    public static void gluForward(Tensor y, Tensor gate, Tensor up) {
        floating("gluForward", "y", y);
        floating("gluForward", "gate", gate);
        alike("gluForward", "y", y, "gate", gate);
        if (up == null) return;
        floating("gluForward", "up", up);
        alike("gluForward", "y", y, "up", up);
    }

    public static void gluBackward(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) {
        String op = "gluBackward";
        floating(op, "dGate", dGate);
        floating(op, "dy", dy);
        floating(op, "gate", gate);
        alike(op, "gate", gate, "dy", dy);
        alike(op, "gate", gate, "dGate", dGate);
        if ((dUp == null) != (up == null)) throw wrong(op, "up and dUp go together", "gate", gate);
        if (up == null) return;
        floating(op, "dUp", dUp);
        floating(op, "up", up);
        alike(op, "gate", gate, "up", up);
        alike(op, "gate", gate, "dUp", dUp);
    }

    // ---- attention ----

    public static void attentionForward(Tensor o, Tensor lse, Tensor q, Tensor k, Tensor v, Tensor start, Tensor stop,
                                        AttentionSpec spec) {
        attention("attentionForward", o, lse, q, k, v, start, stop, spec);
    }

    public static void attentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dO, Tensor q, Tensor k, Tensor v,
            Tensor o, Tensor lse, Tensor start, Tensor stop, AttentionSpec spec) {
        String op = "attentionBackward";
        attention(op, o, lse, q, k, v, start, stop, spec);
        floating(op, "dq", dq);
        floating(op, "dk", dk);
        floating(op, "dv", dv);
        floating(op, "dO", dO);
        sameMatrix(op, "dq", dq, "q", q);
        sameMatrix(op, "dk", dk, "k", k);
        sameMatrix(op, "dv", dv, "v", v);
        sameMatrix(op, "dO", dO, "o", o);
    }

    private static void attention(String op, Tensor o, Tensor lse, Tensor q, Tensor k, Tensor v, Tensor start,
            Tensor stop, AttentionSpec spec) {
        floating(op, "o", o);
        floating(op, "q", q);
        floating(op, "k", k);
        floating(op, "v", v);
        dtype(op, "lse", lse, DType.F32);
        dtype(op, "start", start, DType.I32);
        dtype(op, "stop", stop, DType.I32);
        if (q.cols() != spec.queryWidth()) {
            throw wrong(op, "q must have %d columns".formatted(spec.queryWidth()), "q",
                    q);
        }
        if (k.cols() != spec.keyWidth()) throw wrong(op, "k must have %d columns".formatted(spec.keyWidth()), "k", k);
        sameMatrix(op, "v", v, "k", k);
        sameMatrix(op, "o", o, "q", q);
        if (lse.cols() != q.rows() || lse.rows() != spec.numHeads()) {
            throw wrong(op, "lse must be [%d, %d]".formatted(spec.numHeads(), q.rows()), "lse", lse, "q", q);
        }
        if (start.size() != q.rows() || stop.size() != q.rows()) {
            throw wrong(op, "start and stop must have one element per row of q", "start", start, "stop", stop, "q", q);
        }
    }

    // ---- optimizer ----

    public static void sumSquares(Tensor sum, Tensor x) {
        floating("sumSquares", "x", x);
        f32Vector("sumSquares", "sum", sum, 1, "x", x);
    }

    public static void clipFactor(Tensor out, Tensor sumSquares, Tensor tokens) {
        f32Vector("clipFactor", "out", out, 2, "sumSquares", sumSquares);
        f32Vector("clipFactor", "sumSquares", sumSquares, 1, "out", out);
        f32Vector("clipFactor", "tokens", tokens, 1, "out", out);
    }

    public static void adamW(Tensor param, Tensor grad, Tensor m, Tensor v, Tensor hyper, Tensor factor) {
        dtype("adamW", "param", param, DType.F32);
        sameF32("adamW", "grad", grad, "param", param);
        sameF32("adamW", "m", m, "param", param);
        sameF32("adamW", "v", v, "param", param);
        f32Vector("adamW", "hyper", hyper, 7, "param", param);
        dtype("adamW", "factor", factor, DType.F32);
        if (factor.size() < 1) throw wrong("adamW", "factor must have an element", "factor", factor);
    }

    // ---- the vocabulary of the above ----

    private static void present(String op, String label, Tensor tensor) {
        if (tensor == null) throw new ShapeException("%s: %s is null".formatted(op, label));
    }

    static void floating(String op, String label, Tensor tensor) {
        present(op, label, tensor);
        if (!tensor.dtype().floating()) throw wrong(op, label + " must have a floating dtype", label, tensor);
    }

    static void weight(String op, Tensor w) {
        present(op, "w", w);
        if (!w.dtype().quantized()) floating(op, "w", w);
    }

    private static void quantized(String op, String label, Tensor tensor) {
        present(op, label, tensor);
        if (!tensor.dtype().quantized()) throw wrong(op, label + " must have a quantized dtype", label, tensor);
    }

    static void dtype(String op, String label, Tensor tensor, DType dtype) {
        present(op, label, tensor);
        if (tensor.dtype() != dtype) throw wrong(op, "%s must be %s".formatted(label, dtype), label, tensor);
    }

    static void alike(String op, String aLabel, Tensor a, String bLabel, Tensor b) {
        if (!a.shape().equals(b.shape())) throw wrong(op, "shapes differ", aLabel, a, bLabel, b);
    }

    static void sameMatrix(String op, String aLabel, Tensor a, String bLabel, Tensor b) {
        if (a.rows() != b.rows() || a.cols() != b.cols()) throw wrong(op, "shapes differ", aLabel, a, bLabel, b);
    }

    static void sameF32(String op, String aLabel, Tensor a, String bLabel, Tensor b) {
        dtype(op, aLabel, a, DType.F32);
        sameMatrix(op, aLabel, a, bLabel, b);
    }

    static void vector(String op, String label, Tensor tensor, int size, String otherLabel, Tensor other) {
        floating(op, label, tensor);
        if (tensor.size() != size) {
            throw wrong(op, "%s must be [%d]".formatted(label, size), label, tensor, otherLabel,
                    other);
        }
    }

    static void f32Vector(String op, String label, Tensor tensor, int size, String otherLabel, Tensor other) {
        dtype(op, label, tensor, DType.F32);
        if (tensor.size() != size) {
            throw wrong(op, "%s must be [%d]".formatted(label, size), label, tensor, otherLabel,
                    other);
        }
    }

    /// @param operands label and tensor in turn
    static ShapeException wrong(String op, String problem, Object... operands) {
        StringBuilder message = new StringBuilder(op).append(": ").append(problem);
        for (int i = 0; i < operands.length; i += 2) {
            if (!(operands[i + 1] instanceof Tensor tensor)) continue;
            message.append("%n  %-10s %-18s %-5s %s".formatted(operands[i], tensor.shape(), tensor.dtype(),
                    tensor.name()));
        }
        return new ShapeException(message.toString());
    }
}
