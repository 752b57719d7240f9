package dev.gale.tensor;

import dev.gale.tensor.ops.TensorOps;

/// A weight of a model: its value, whether training may change it, and, while it may, its gradient.
///
/// Gradients are F32, of the value's shape, and accumulate (`+=`) until `zeroGrad`. A frozen parameter has none.
public final class Parameter {
    private final String name;
    private Tensor value;
    private boolean trainable;
    private Tensor grad;

    public Parameter(String name, Tensor value, boolean trainable) {
        this.name = name;
        this.value = value;
        this.trainable = trainable;
    }

    /// A parameter that training leaves alone.
    public static Parameter frozen(String name, Tensor value) {
        return new Parameter(name, value, false);
    }

    /// The full path in the model, e.g. `model.layers.0.self_attn.q_proj.weight`.
    public String name() {
        return name;
    }

    public Tensor value() {
        return value;
    }

    public boolean trainable() {
        return trainable;
    }

    /// Replaces the value, e.g. by a copy in another dtype. The caller owns the old one.
    public void setValue(Tensor value) {
        if (!value.shape().equals(this.value.shape())) {
            throw new ShapeException("%s has shape %s, its new value %s".formatted(name, this.value.shape(),
                    value.shape()));
        }
        this.value = value;
    }

    public void setTrainable(boolean trainable) {
        this.trainable = trainable;
    }

    /// The gradient buffer, allocated and zeroed at first use.
    /// Throws: IllegalStateException for a frozen parameter.
    public Tensor grad(TensorOps ops) {
        if (!trainable) throw new IllegalStateException(name + " is frozen and has no gradient");
        if (grad == null) {
            grad = ops.allocate("d " + name, DType.F32, value.shape());
            ops.fill(grad, 0f);
        }
        return grad;
    }

    /// Sets the gradient to zero, if there is one.
    public void zeroGrad(TensorOps ops) {
        if (grad != null) ops.fill(grad, 0f);
    }

    /// Gives the gradient buffer back.
    public void releaseGrad(TensorOps ops) {
        if (grad != null) ops.release(grad);
        grad = null;
    }

    @Override
    public String toString() {
        return name + " " + value.dtype() + " " + value.shape() + (trainable ? " trainable" : "");
    }
}
