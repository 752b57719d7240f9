package dev.gale.optim;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
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

    /// Gives parameters the values to evaluate and to save, until `train`. Only an optimizer that averages has others than
    /// those it trains; it keeps these where gradients are meanwhile, so none may be accumulated. Harmless twice.
    default void eval() {}

    /// Gives parameters the values to train, bit for bit. Harmless twice.
    default void train() {}

    /// Sets the gradients of all parameters to zero.
    void zeroGrad();

    /// Number of steps done.
    int steps();

    /// Everything that a later run needs to go on exactly from here, by name. The tensors are the live ones.
    Map<String, Tensor> state();

    /// Takes over what `state` gave in an earlier run, bit for bit; parameters too, where `eval` gives them other values.
    /// Throws: InputException when a tensor is missing, left over, or of another shape or dtype; then nothing changes.
    ///
    /// @param state  in host memory
    /// @param source where the tensors come from, named in error messages
    void restore(Map<String, Tensor> state, String source);

    /// Gives the state's memory back.
    @Override
    void close();

    /// The names that `of` knows, as in `optim`.
    static List<String> names() {
        return Optimizers.names();
    }

    /// An optimizer by its name.
    /// Throws: InputException as `check`; IllegalArgumentException for a parameter that is frozen, not F32, or in two groups.
    ///
    /// @param name `optim`
    static Optimizer of(String name, TensorOps ops, List<ParamGroup> groups, OptimizerSettings settings) {
        return Optimizers.create(name, ops, groups, settings);
    }

    /// Throws: InputException for an unknown name or option (the nearest is suggested) or a value out of range.
    ///
    /// @param name `optim`
    static void check(String name, OptimizerSettings settings) {
        Optimizers.check(name, settings);
    }
}
