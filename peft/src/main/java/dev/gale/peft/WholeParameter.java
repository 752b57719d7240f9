package dev.gale.peft;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;

/// A parameter of the base that has another value with an adapter than without: trained whole, in F32, brought by a
/// file, or changed by the adapter's initialization. The original stays as it is; it may be mapped from a file.
///
/// @param parameter the model's
/// @param original  its value without the adapter
/// @param own       its value with the adapter
/// @param trainable whether training changes it
record WholeParameter(Parameter parameter, Tensor original, Tensor own, boolean trainable) {

    /// Copies a parameter's value and puts the copy in its place.
    ///
    /// @param dtype of the copy
    static WholeParameter of(Parameter parameter, DType dtype, boolean trainable, TensorOps ops) {
        Tensor original = parameter.value();
        Tensor own = ops.allocate(parameter.name(), dtype, original.shape());
        if (original.dtype().quantized()) ops.dequantize(own, original);
        else ops.copy(own, original);
        WholeParameter whole = new WholeParameter(parameter, original, own, trainable);
        whole.enable();
        return whole;
    }

    /// Puts a frozen value in the place of a parameter's own.
    static WholeParameter replaced(Parameter parameter, Tensor own) {
        WholeParameter changed = new WholeParameter(parameter, parameter.value(), own, false);
        changed.enable();
        return changed;
    }

    void enable() {
        parameter.setValue(own);
        parameter.setTrainable(trainable);
    }

    void disable() {
        parameter.setValue(original);
        parameter.setTrainable(false);
    }

    void release(TensorOps ops) {
        disable();
        parameter.releaseGrad(ops);
        ops.release(own);
    }
}
