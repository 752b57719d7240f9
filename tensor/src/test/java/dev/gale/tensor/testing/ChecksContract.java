package dev.gale.tensor.testing;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.ShapeException;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.LowRankGrads;
import dev.gale.tensor.ops.Quantized8;
import dev.gale.tensor.ops.TensorOps;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/// Every operation refuses operands that do not fit, with a message that begins with its name.
public interface ChecksContract extends Trials {

    /// Makes operands of one implementation and expects refusals.
    final class Refusals {
        private final TensorOps ops;

        Refusals(TensorOps ops) {
            this.ops = ops;
        }

        Tensor f(int... dims) {
            return ops.allocate("operand", DType.F32, Shape.of(dims));
        }

        Tensor half(int... dims) {
            return ops.allocate("operand", DType.BF16, Shape.of(dims));
        }

        Tensor i(int... dims) {
            Tensor tensor = ops.allocate("operand", DType.I32, Shape.of(dims));
            ops.fill(tensor, 0f);
            return tensor;
        }

        Tensor codes(int n) {
            return ops.allocate("operand", DType.U8, Shape.of(n));
        }

        void expect(String op, Executable... calls) {
            for (int n = 0; n < calls.length; n++) {
                ShapeException refusal = assertThrows(ShapeException.class, calls[n], op + ", call " + n);
                assertTrue(refusal.getMessage().startsWith(op), refusal.getMessage());
            }
        }
    }

    @Test
    default void elementwiseOperandsMustFit() {
        try (TensorOps ops = freshOps()) {
            Refusals r = new Refusals(ops);
            r.expect("copy", () -> ops.copy(r.f(2), r.f(3)), () -> ops.copy(r.i(2), r.f(2)),
                    () -> ops.copy(null, r.f(2)));
            r.expect("fill", () -> ops.fill(null, 0));
            r.expect("add", () -> ops.add(r.f(2), r.f(2), r.f(3)), () -> ops.add(r.f(3), r.f(2), r.f(2)),
                    () -> ops.add(r.f(6), r.f(2, 3), r.f(3, 2)), () -> ops.add(r.f(2), r.i(2), r.f(2)),
                    () -> ops.add(r.f(2), null, r.f(2)));
            r.expect("addScaled", () -> ops.addScaled(r.f(2), r.f(3), 1), () -> ops.addScaled(r.i(2), r.f(2), 1));
            r.expect("columnSum", () -> ops.columnSum(r.f(2), r.f(2, 3)), () -> ops.columnSum(r.f(3), r.i(2, 3)));
            r.expect("dropout", () -> ops.dropout(r.f(2), r.f(3), 0.5f, r.i(4), 0, false),
                    () -> ops.dropout(r.f(2), r.f(2), 0.5f, r.i(3), 0, false),
                    () -> ops.dropout(r.f(2), r.f(2), 0.5f, r.f(4), 0, false),
                    () -> ops.dropout(r.f(2), r.f(2), 1f, r.i(4), 0, false),
                    () -> ops.dropout(r.f(2), r.f(2), -0.1f, r.i(4), 0, false),
                    () -> ops.dropout(r.f(2), r.f(2), Float.NaN, r.i(4), 0, false));
            r.expect("gatherRows", () -> ops.gatherRows(r.f(2, 3), r.f(5, 4), r.i(2)),
                    () -> ops.gatherRows(r.f(2, 3), r.f(5, 3), r.i(3)),
                            () -> ops.gatherRows(r.f(2, 3), r.f(5, 3), r.f(2)));
            r.expect("scatterAddRows", () -> ops.scatterAddRows(r.f(5, 4), r.f(2, 3), r.i(2)),
                    () -> ops.scatterAddRows(r.half(5, 3), r.f(2, 3), r.i(2)),
                    () -> ops.scatterAddRows(r.f(5, 3), r.f(2, 3), r.i(1)));
        }
    }

    @Test
    default void matricesMustFit() {
        try (TensorOps ops = freshOps()) {
            Refusals r = new Refusals(ops);
            r.expect("matmul", () -> ops.matmul(r.f(2, 4), r.f(2, 3), false, r.f(4, 3), false, 1, false),
                    () -> ops.matmul(r.f(2, 4), r.f(2, 3), true, r.f(3, 4), false, 1, false),
                    () -> ops.matmul(r.f(4, 2), r.f(2, 3), false, r.f(3, 4), false, 1, false),
                    () -> ops.matmul(r.f(2, 4), r.i(2, 3), false, r.f(3, 4), false, 1, false),
                    () -> ops.matmul(r.f(2, 4), r.f(2, 3), false, null, false, 1, false));
            Tensor x = r.f(2, 3);
            Tensor w = r.f(4, 3);
            LowRank side = new LowRank(x, r.f(1, 3), r.f(4, 1), r.f(2, 1), 1f);
            r.expect("linearForward", () -> ops.linearForward(r.f(2, 4), r.f(2, 5), w, null, null, null),
                    () -> ops.linearForward(r.f(3, 4), x, w, null, null, null),
                    () -> ops.linearForward(r.f(2, 4), x, w, r.f(3), null, null),
                    () -> ops.linearForward(r.f(2, 4), x, w, null, r.f(2, 3), null),
                    () -> ops.linearForward(r.f(2, 4), x, null, null, null, null),
                    () -> ops.linearForward(r.f(2, 4), x, w, null, null,
                            new LowRank(r.f(3, 3), side.a(), side.b(), side.low(), 1)),
                    () -> ops.linearForward(r.f(2, 4), x, w, null, null,
                            new LowRank(x, r.f(1, 4), side.b(), side.low(), 1)),
                    () -> ops.linearForward(r.f(2, 4), x, w, null, null,
                            new LowRank(x, side.a(), r.f(4, 2), side.low(), 1)),
                    () -> ops.linearForward(r.f(2, 4), x, w, null, null,
                            new LowRank(x, side.a(), side.b(), r.f(2, 2), 1)),
                    () -> ops.linearForward(null, r.f(2, 5), w, null, null, side),
                    () -> ops.linearForward(null, x, w, null, r.f(2, 3), side),
                    () -> ops.linearForward(null, x, w, null, null,
                            new LowRank(x, side.a(), side.b(), r.f(2, 2), 1)));
            LowRankGrads grads = new LowRankGrads(r.f(1, 3), r.f(4, 1), r.f(2, 1), null);
            r.expect("linearBackward", () -> ops.linearBackward(r.f(2, 4), false, r.f(2, 4), w, null, null),
                    () -> ops.linearBackward(r.f(2, 3), false, r.f(2, 5), w, null, null),
                    () -> ops.linearBackward(null, false, r.f(2, 3), w, null, null),
                    () -> ops.linearBackward(r.f(2, 3), false, r.f(2, 4), w, side, null),
                    () -> ops.linearBackward(r.f(2, 3), false, r.f(2, 4), w, null, grads),
                    () -> ops.linearBackward(r.f(2, 3), false, r.f(2, 4), w, side,
                            new LowRankGrads(r.f(2, 3), null, r.f(2, 1), null)),
                    () -> ops.linearBackward(r.f(2, 3), false, r.f(2, 4), w, side,
                            new LowRankGrads(null, r.half(4, 1), r.f(2, 1), null)),
                    () -> ops.linearBackward(r.f(2, 3), false, r.f(2, 4), w, side,
                            new LowRankGrads(null, null, null, null)),
                    () -> ops.linearBackward(r.f(2, 3), false, r.f(2, 4), w, side,
                            new LowRankGrads(null, null, r.f(2, 1), r.f(2, 2))));
        }
    }

    @Test
    default void scaleOperandsMustFit() {
        try (TensorOps ops = freshOps()) {
            Refusals r = new Refusals(ops);
            r.expect("rowNorm", () -> ops.rowNorm(r.f(3), null, r.f(2, 4), r.f(2, 4), null, 1),
                    () -> ops.rowNorm(r.f(2), r.f(3), r.f(2, 4), r.f(2, 4), null, 1),
                    () -> ops.rowNorm(r.half(2), null, r.f(2, 4), r.f(2, 4), null, 1),
                    () -> ops.rowNorm(r.f(2), null, r.f(2, 4), r.f(4, 2), null, 1),
                    () -> ops.rowNorm(r.f(2), null, r.f(2, 4), null, null, 1),
                    () -> ops.rowNorm(r.f(2), null, r.f(2, 4), r.f(2, 4), r.f(2, 2), 1));
            Tensor x = r.f(2, 3);
            r.expect("columnScaleForward", () -> ops.columnScaleForward(r.f(3, 2), x, r.f(3), r.f(3), null, null),
                    () -> ops.columnScaleForward(r.f(2, 3), x, r.f(2), r.f(3), null, null),
                    () -> ops.columnScaleForward(r.f(2, 3), x, r.f(3), r.half(3), null, null),
                    () -> ops.columnScaleForward(r.f(2, 3), x, r.f(3), r.f(3), r.f(2), null),
                    () -> ops.columnScaleForward(r.f(2, 3), x, r.f(3), r.f(3), null, r.f(3, 2)));
            r.expect("columnScaleBackward", () -> ops.columnScaleBackward(r.f(3, 2), null, x, null, r.f(3), r.f(3)),
                    () -> ops.columnScaleBackward(null, r.f(2), x, r.f(2, 3), r.f(3), r.f(3)),
                    () -> ops.columnScaleBackward(null, r.f(3), x, null, r.f(3), r.f(3)),
                    () -> ops.columnScaleBackward(null, r.f(3), x, r.f(3, 3), r.f(3), r.f(3)),
                    () -> ops.columnScaleBackward(r.f(2, 3), null, x, null, r.f(3), r.f(2)));
        }
    }

    @Test
    default void layerOperandsMustFit() {
        try (TensorOps ops = freshOps()) {
            Refusals r = new Refusals(ops);
            Tensor x = r.f(2, 3);
            r.expect("rmsNormForward", () -> ops.rmsNormForward(r.f(2, 4), r.f(2), x, r.f(3), 0),
                    () -> ops.rmsNormForward(r.f(2, 3), r.f(3), x, r.f(3), 0),
                            () -> ops.rmsNormForward(r.f(2, 3), r.f(2), x, r.f(2), 0),
                    () -> ops.rmsNormForward(r.f(2, 3), r.half(2), x, r.f(3), 0),
                            () -> ops.rmsNormForward(r.f(2, 3), null, x, r.f(3), 0));
            r.expect("rmsNormBackward", () -> ops.rmsNormBackward(r.f(2, 4), false, null, r.f(2, 3), x, r.f(3), r.f(2)),
                    () -> ops.rmsNormBackward(null, false, r.f(2), r.f(2, 3), x, r.f(3), r.f(2)),
                    () -> ops.rmsNormBackward(null, false, null, r.f(3, 3), x, r.f(3), r.f(2)),
                    () -> ops.rmsNormBackward(null, false, null, r.f(2, 3), x, r.f(3), r.f(3)));
            AttentionSpec spec = new AttentionSpec(2, 1, 4, 1, 0);
            r.expect("rope", () -> ops.rope(r.f(2, 4), null, r.f(5, 2), r.f(5, 2), r.i(2), spec, false),
                    () -> ops.rope(null, r.f(2, 8), r.f(5, 2), r.f(5, 2), r.i(2), spec, false),
                    () -> ops.rope(r.f(2, 8), null, r.f(5, 3), r.f(5, 3), r.i(2), spec, false),
                    () -> ops.rope(r.f(2, 8), null, r.f(5, 2), r.f(5, 1), r.i(2), spec, false),
                    () -> ops.rope(r.f(2, 8), null, r.f(5, 2), r.f(5, 2), r.i(3), spec, false),
                    () -> ops.rope(r.f(2, 8), null, r.f(5, 2), r.f(5, 2), r.f(2), spec, false));
            r.expect("gluForward", () -> ops.gluForward(r.f(2, 3), x, r.f(3, 2), Activation.SILU),
                    () -> ops.gluForward(r.f(2, 2), x, r.f(2, 3), Activation.SILU));
            r.expect("gluBackward", () -> ops.gluBackward(r.f(2, 3), r.f(2, 3), r.f(2, 3), x, r.f(6), Activation.SILU),
                    () -> ops.gluBackward(r.f(2, 2), r.f(2, 3), r.f(2, 3), x, r.f(2, 3), Activation.SILU),
                    () -> ops.gluBackward(r.f(2, 3), null, r.f(2, 3), x, r.f(2, 3), Activation.SILU));
        }
    }

    @Test
    default void attentionOperandsMustFit() {
        try (TensorOps ops = freshOps()) {
            Refusals r = new Refusals(ops);
            AttentionSpec spec = new AttentionSpec(2, 1, 4, 1, 0);
            Tensor q = r.f(3, 8);
            Tensor kv = r.f(5, 4);
            Tensor range = r.i(3);
            r.expect("attentionForward",
                    () -> ops.attentionForward(r.f(3, 4), r.f(2, 3), q, kv, kv, range, range, spec),
                    () -> ops.attentionForward(r.f(3, 8), r.f(3, 2), q, kv, kv, range, range, spec),
                    () -> ops.attentionForward(r.f(3, 8), r.f(2, 3), kv, kv, kv, range, range, spec),
                    () -> ops.attentionForward(r.f(3, 8), r.f(2, 3), q, q, q, range, range, spec),
                    () -> ops.attentionForward(r.f(3, 8), r.f(2, 3), q, kv, r.f(4, 4), range, range, spec),
                    () -> ops.attentionForward(r.f(3, 8), r.f(2, 3), q, kv, kv, r.i(5), range, spec),
                    () -> ops.attentionForward(r.f(3, 8), r.f(2, 3), q, kv, kv, range, r.f(3), spec));
            Tensor lse = r.f(2, 3);
            r.expect("attentionBackward",
                    () -> ops.attentionBackward(r.f(3, 4), r.f(5, 4), r.f(5, 4), q, q, kv, kv, q, lse, range, range,
                            spec),
                    () -> ops.attentionBackward(r.f(3, 8), r.f(4, 4), r.f(5, 4), q, q, kv, kv, q, lse, range, range,
                            spec),
                    () -> ops.attentionBackward(r.f(3, 8), r.f(5, 4), r.f(5, 8), q, q, kv, kv, q, lse, range, range,
                            spec),
                    () -> ops.attentionBackward(r.f(3, 8), r.f(5, 4), r.f(5, 4), r.f(2, 8), q, kv, kv, q, lse, range,
                            range, spec),
                    () -> ops.attentionBackward(r.f(3, 8), r.f(5, 4), null, q, q, kv, kv, q, lse, range, range, spec));
        }
    }

    @Test
    default void lossAndOptimizerOperandsMustFit() {
        try (TensorOps ops = freshOps()) {
            Refusals r = new Refusals(ops);
            CrossEntropySpec spec = CrossEntropySpec.chunked(2);
            Tensor x = r.f(3, 4);
            Tensor w = r.f(7, 4);
            r.expect("linearCrossEntropy",
                    () -> ops.linearCrossEntropy(r.f(1), null, null, null, x, w, r.i(3), spec),
                    () -> ops.linearCrossEntropy(r.f(2), r.f(4), null, null, x, w, r.i(3), spec),
                    () -> ops.linearCrossEntropy(r.f(2), null, r.f(4, 3), null, x, w, r.i(3), spec),
                    () -> ops.linearCrossEntropy(r.f(2), null, null, r.half(7, 4), x, w, r.i(3), spec),
                    () -> ops.linearCrossEntropy(r.f(2), null, null, null, x, r.f(7, 3), r.i(3), spec),
                    () -> ops.linearCrossEntropy(r.f(2), null, null, null, x, w, r.i(2), spec),
                    () -> ops.linearCrossEntropy(r.f(2), null, null, null, x, w, r.f(3), spec),
                    () -> ops.linearCrossEntropy(r.f(2), null, null, null, x, w, r.i(3), r.f(2), spec));
            r.expect("sumSquares", () -> ops.sumSquares(r.f(2), x), () -> ops.sumSquares(r.f(1), r.i(3)));
            r.expect("clipFactor", () -> ops.clipFactor(r.f(1), r.f(1), r.f(1), 1),
                    () -> ops.clipFactor(r.f(2), r.f(2), r.f(1), 1),
                    () -> ops.clipFactor(r.f(2), r.f(1), r.i(1), 1));
            r.expect("adamW", () -> ops.adamW(r.half(2), r.f(2), r.f(2), r.f(2), r.f(7), r.f(1)),
                    () -> ops.adamW(r.f(2), r.f(3), r.f(2), r.f(2), r.f(7), r.f(1)),
                    () -> ops.adamW(r.f(2), r.f(2), r.f(2), r.f(2), r.f(6), r.f(1)),
                    () -> ops.adamW(r.f(2), r.f(2), r.f(2), r.f(2), r.f(7), r.f(0)),
                    () -> ops.adamW(r.f(2), r.f(2), null, r.f(2), r.f(7), r.f(1)));
        }
    }

    @Test
    default void operandsOfUpdatesMustFit() {
        try (TensorOps ops = freshOps()) {
            Refusals r = new Refusals(ops);
            Quantized8 state = new Quantized8(r.codes(300), r.f(2));
            Tensor p = r.f(300);
            r.expect("lion", () -> ops.lion(r.half(2), r.f(2), r.f(2), r.f(4), r.f(1)),
                    () -> ops.lion(r.f(2), r.f(2), r.f(3), r.f(4), r.f(1)),
                    () -> ops.lion(r.f(2), r.f(2), r.f(2), r.f(3), r.f(1)));
            r.expect("sgd", () -> ops.sgd(r.f(2), r.f(3), null, r.f(3), r.f(1)),
                    () -> ops.sgd(r.f(2), r.f(2), r.f(3), r.f(3), r.f(1)),
                    () -> ops.sgd(r.f(2), r.f(2), null, r.f(3), r.f(0)));
            r.expect("scheduleFreeAdamW", () -> ops.scheduleFreeAdamW(r.f(2), r.f(2), r.f(3), r.f(2), r.f(7), r.f(1)),
                    () -> ops.scheduleFreeAdamW(r.f(2), r.f(2), r.f(2), null, r.f(7), r.f(1)));
            r.expect("adafactor", () -> ops.adafactor(r.f(2, 3), r.f(2, 3), r.f(3), r.f(3), r.f(5), r.f(1)),
                    () -> ops.adafactor(r.f(2, 3), r.f(2, 3), r.f(2), r.f(2), r.f(5), r.f(1)),
                    () -> ops.adafactor(r.f(3), r.f(3), r.f(2), null, r.f(5), r.f(1)));
            r.expect("adamW8bit", () -> ops.adamW8bit(p, p, state, new Quantized8(r.codes(300), r.f(1)), r.f(7), r.f(1)),
                    () -> ops.adamW8bit(p, p, state, new Quantized8(r.codes(299), r.f(2)), r.f(7), r.f(1)),
                    () -> ops.adamW8bit(p, p, new Quantized8(p, r.f(2)), state, r.f(7), r.f(1)));
            r.expect("lion8bit", () -> ops.lion8bit(p, r.f(3), state, r.f(4), r.f(1)),
                    () -> ops.lion8bit(p, p, state, r.f(5), r.f(1)));
            r.expect("writeBytes", () -> ops.writeBytes(r.f(2), MemorySegment.ofArray(new byte[7])));
            r.expect("readBytes", () -> ops.readBytes(MemorySegment.ofArray(new byte[9]), r.f(2)));
        }
    }
}
