package dev.gale.peft;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;

/// A parameter of the base that an adapter brings whole: an F32 copy stands in for the original, which stays as it is.
///
/// @param parameter the model's
/// @param original  its value without the adapter
/// @param own       its value with the adapter, F32
/// @param trainable whether training changes it
record WholeParameter(Parameter parameter, Tensor original, Tensor own, boolean trainable) {

    /// Copies a parameter's value and puts the copy in its place.
    static WholeParameter of(Parameter parameter, boolean trainable, TensorOps ops) {
        Tensor original = parameter.value();
        Tensor own = ops.allocate(parameter.name(), DType.F32, original.shape());
        if (original.dtype().quantized()) ops.dequantize(own, original);
        else ops.copy(own, original);
        WholeParameter whole = new WholeParameter(parameter, original, own, trainable);
        whole.enable();
        return whole;
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
