package dev.gale.optim;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// How one kind of optimizer changes a parameter, and what it remembers of it.
interface UpdateRule {

    /// A tensor that is remembered.
    ///
    /// @param name what comes before the parameter's in a checkpoint, e.g. `exp_avg`
    record State(String name, DType dtype, Shape shape) {
        static State like(String name, Parameter parameter) {
            return new State(name, DType.F32, parameter.value().shape());
        }
    }

    /// What an update of all parameters of a group is given.
    ///
    /// @param hypers where the numbers of `hyper` are
    /// @param factor of gradients, F32, one element or more
    /// @param number counted from 1
    /// @param decays whether the group's weight decay is not 0
    record Step(List<Tensor> hypers, Tensor factor, int number, boolean decays) {
        /// The first, which is the only one for most.
        Tensor hyper() {
            return hypers.getFirst();
        }
    }

    /// What is remembered of a parameter; all of it zero at first.
    List<State> states(Parameter parameter);

    /// How many numbers each array has that `hyper` gives.
    int[] hyperSizes();

    /// How many numbers a group remembers, zero at first.
    default int totals() {
        return 0;
    }

    /// What changes from step to step, made once for a group: what the operations of `TensorOps` take under this name.
    /// Writes: totals.
    ///
    /// @param step counted from 1
    float[][] hyper(double lr, double weightDecay, int step, double[] totals);

    /// One update. Writes: the parameter's value and states in place.
    ///
    /// @param states in the order of `states`
    void update(TensorOps ops, Parameter parameter, List<Tensor> states, Step step);

    /// Whether parameters are evaluated at other values than they are trained at.
    default boolean averages() {
        return false;
    }

    /// Writes: the parameter's value, from the value that is trained and the states.
    default void average(TensorOps ops, Parameter parameter, List<Tensor> states) {}
}
