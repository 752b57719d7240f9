package dev.gale.peft;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Adapter;
import dev.gale.tensor.autograd.EmbeddingAdapter;
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

    /// `W' = W + scale * B A`, with a magnitude each row times its length over its norm, and `bias' = bias + scale * bias of
    /// B`, computed in F32 and rounded once to their dtypes; a quantized W becomes what was asked for.
    /// Throws: InputException when a result has NaN or infinite values, or there is no bias to add to; nothing changes then.
    void add(LoraLinear lora) {
        addWeight(lora.base().weight(), lora.adapter());
        Parameter upBias = lora.adapter().bias();
        if (upBias == null) return;
        Parameter bias = lora.base().bias();
        if (bias == null) {
            throw new InputException("%s has no bias, so an adapter with lora_bias cannot be merged into it"
                    .formatted(lora.path()));
        }
        Tensor sum = ops.allocate("merged " + bias.name(), DType.F32, bias.value().shape());
        try {
            ops.copy(sum, bias.value());
            ops.addScaled(sum, upBias.value(), lora.adapter().scale());
            replace(bias, sum, bias.value());
        } finally {
            ops.release(sum);
        }
    }

    private void addWeight(Parameter weight, Adapter adapter) {
        Tensor sum = ops.allocate("merged " + weight.name(), DType.F32, weight.value().shape());
        try {
            if (weight.value().dtype().quantized()) ops.dequantize(sum, weight.value());
            else ops.copy(sum, weight.value());
            ops.matmul(sum, adapter.b().value(), false, adapter.a().value(), false, adapter.scale(), true);
            if (adapter.magnitude() != null) stretch(sum, ops.toFloats(adapter.magnitude().length().value()));
            replace(weight, sum, weight.value());
        } finally {
            ops.release(sum);
        }
    }

    /// As `add`, of the embedding: `W' = W + scale * A Bᵀ`, A having a row for each token.
    void add(Parameter table, EmbeddingAdapter adapter) {
        Tensor sum = ops.allocate("merged " + table.name(), DType.F32, table.value().shape());
        try {
            ops.copy(sum, table.value());
            ops.matmul(sum, adapter.a().value(), false, adapter.b().value(), true, adapter.scale(), true);
            replace(table, sum, table.value());
        } finally {
            ops.release(sum);
        }
    }

    /// Gives each row its length.
    private void stretch(Tensor rows, float[] lengths) {
        float[] values = ops.toFloats(rows);
        int cols = rows.cols();
        for (int r = 0; r < lengths.length; r++) {
            double squares = 0;
            for (int c = 0; c < cols; c++) squares += (double) values[r * cols + c] * values[r * cols + c];
            double factor = squares == 0 ? 0 : lengths[r] / Math.sqrt(squares);
            for (int c = 0; c < cols; c++) values[r * cols + c] *= (float) factor;
        }
        ops.write(rows, values);
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
        for (Change change : changes.reversed()) {
            ops.release(change.parameter.value());
            change.parameter.setValue(change.before);
        }
        changes.clear();
    }
}
