package dev.gale.tensor.autograd;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/// Gradients of activations during one backward pass, and who wants one. Gradients of parameters live in the
/// parameters.
public final class Grads {
    private final TensorOps ops;
    private final Map<Tensor, Tensor> byActivation = new LinkedHashMap<>();
    private final Set<Tensor> wanted = new HashSet<>();

    Grads(TensorOps ops) {
        this.ops = ops;
    }

    /// Where an operation puts its share of a gradient.
    ///
    /// @param tensor     the buffer, of the activation's shape
    /// @param accumulate true when another consumer already wrote its share
    public record Sink(Tensor tensor, boolean accumulate) {}

    /// True when the gradient of this activation leads to a trainable parameter.
    public boolean wants(Tensor activation) {
        return wanted.contains(activation);
    }

    void want(Tensor activation) {
        wanted.add(activation);
    }

    /// The buffer for an activation's gradient.
    public Sink sink(Tensor activation) {
        Tensor known = byActivation.get(activation);
        if (known != null) return new Sink(known, true);
        Tensor fresh = like(activation);
        byActivation.put(activation, fresh);
        return new Sink(fresh, false);
    }

    /// The gradient accumulated so far, or null.
    public Tensor peek(Tensor activation) {
        return byActivation.get(activation);
    }

    /// Hands over a whole gradient: it becomes the activation's, or is added to what is there and released.
    public void give(Tensor activation, Tensor gradient) {
        Tensor known = byActivation.putIfAbsent(activation, gradient);
        if (known == null) return;
        ops.addScaled(known, gradient, 1f);
        ops.release(gradient);
    }

    /// As `give` when the activation wants a gradient; else the buffer is released.
    public void giveIfWanted(Tensor activation, Tensor gradient) {
        if (wants(activation)) give(activation, gradient);
        else ops.release(gradient);
    }

    /// Adds a gradient that stays the caller's.
    public void accumulate(Tensor activation, Tensor gradient) {
        Sink sink = sink(activation);
        if (sink.accumulate()) ops.addScaled(sink.tensor(), gradient, 1f);
        else ops.copy(sink.tensor(), gradient);
    }

    /// Moves an activation's gradient out; the caller owns it now. Null when nothing arrived.
    public Tensor take(Tensor activation) {
        return byActivation.remove(activation);
    }

    /// The accumulating gradient of a trainable parameter.
    public Tensor of(Parameter parameter) {
        return parameter.grad(ops);
    }

    /// A buffer of undefined content for the gradient of an activation, like it in dtype and shape; the caller releases it
    /// or gives it on.
    public Tensor like(Tensor activation) {
        return ops.allocate("d " + activation.name(), activation.dtype(), activation.shape());
    }

    void close() {
        byActivation.values().forEach(ops::release);
        byActivation.clear();
        wanted.clear();
    }
}
