package dev.gale.peft;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Adapter;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import java.util.ArrayList;
import java.util.List;

/// Weights with the adapter's share added, and what they were before. The originals are kept, so undoing is exact.
final class LoraMerge {
    private final TensorOps ops;
    private final Quantized quantized;
    private final List<Change> changes = new ArrayList<>();

    private record Change(Parameter parameter, Tensor before) {}

    /// What weights of few bits become.
    ///
    /// @param dense null to quantize them again
    record Quantized(DType dense) {}

    /// @param quantized null where there are none
    LoraMerge(TensorOps ops, Quantized quantized) {
        this.ops = ops;
        this.quantized = quantized;
    }

    /// `W' = W + scale * B A`, computed in F32 and rounded once to W's dtype; a quantized W becomes what was asked for.
    /// Throws: InputException when the result has NaN or infinite values; W stays as it was then.
    void add(Parameter weight, Adapter adapter) {
        Tensor sum = ops.allocate("merged " + weight.name(), DType.F32, weight.value().shape());
        try {
            if (weight.value().dtype().quantized()) ops.dequantize(sum, weight.value());
            else ops.copy(sum, weight.value());
            ops.matmul(sum, adapter.b().value(), false, adapter.a().value(), false, adapter.scale(), true);
            replace(weight, sum, weight.value());
        } finally {
            ops.release(sum);
        }
    }

    /// Rounds a value that an adapter brought whole to the dtype that the base has.
    void add(WholeParameter whole) {
        replace(whole.parameter(), whole.own(), whole.original());
    }

    private void replace(Parameter parameter, Tensor value, Tensor before) {
        boolean again = before.dtype().quantized() && quantized.dense == null;
        DType dtype = before.dtype().quantized() && !again ? quantized.dense : before.dtype();
        Tensor rounded = again ? ops.allocate(parameter.name(), Quantization.of(before), value.shape())
                : ops.allocate(parameter.name(), dtype, value.shape());
        if (again) ops.quantize(rounded, value);
        else ops.copy(rounded, value);
        if (!isFinite(again ? value : rounded)) {
            ops.release(rounded);
            throw new InputException(("merging makes NaN or infinite values in %s (%s); check the adapter, or load the "
                    + "base in a dtype with a wider range").formatted(parameter.name(), dtype));
        }
        changes.add(new Change(parameter, parameter.value()));
        parameter.setValue(rounded);
    }

    private boolean isFinite(Tensor tensor) {
        Tensor sum = ops.allocate("sum of squares", DType.F32, Shape.of(1));
        try {
            ops.fill(sum, 0f);
            ops.sumSquares(sum, tensor);
            return Float.isFinite(ops.item(sum));
        } finally {
            ops.release(sum);
        }
    }

    void undo() {
        for (Change change : changes) {
            ops.release(change.parameter.value());
            change.parameter.setValue(change.before);
        }
        changes.clear();
    }
}
