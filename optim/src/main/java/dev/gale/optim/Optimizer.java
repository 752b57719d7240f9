package dev.gale.optim;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import java.util.List;
import java.util.Map;

/// Changes parameters along their gradients.
public interface Optimizer extends AutoCloseable {

    /// All parameters of all groups, in order.
    List<Parameter> parameters();

    /// One update with gradients `factor[0] * grad`. Writes: parameters and state in place; gradients stay as they are.
    ///
    /// @param lr     learning rate of this step, before the groups' multipliers
    /// @param factor F32, one element or more, on the device: e.g. what `GradClip.factor` returned
    void step(double lr, Tensor factor);

    /// Sets the gradients of all parameters to zero.
    void zeroGrad();

    /// Number of steps done.
    int steps();

    /// Everything that a later run needs to go on exactly from here, by name. The tensors are the live ones.
    Map<String, Tensor> state();

    /// Takes over what `state` gave in an earlier run, bit for bit.
    /// Throws: InputException when a tensor is missing, left over, or of another shape or dtype; then nothing changes.
    ///
    /// @param source where the tensors come from, named in error messages
    void restore(Map<String, Tensor> state, String source);

    /// Gives the state's memory back.
    @Override
    void close();
}
