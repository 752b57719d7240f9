package dev.gale.optim;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// AdamW with F32 moments; the formula stands at `TensorOps.adamW`, the semantics are `torch.optim.AdamW`'s.
///
/// Learning rate and bias corrections travel in a small tensor per group, rewritten before each step.
/// Source: Loshchilov & Hutter 2017, arXiv 1711.05101.
public final class AdamW implements Optimizer {
    private static final String STEP = "step";

    private final TensorOps ops;
    private final Settings settings;
    private final List<Group> groups = new ArrayList<>();
    private final List<Parameter> parameters;
    private final Tensor stepCount;
    private int steps;
    private boolean closed;

    /// Numbers that hold for all groups.
    ///
    /// @param beta1 decay of the mean of gradients, in [0, 1)
    /// @param beta2 decay of the mean of squared gradients, in [0, 1)
    /// @param eps   keeps the division finite, >= 0
    public record Settings(double beta1, double beta2, double eps) {
        /// 0.9, 0.999, 1e-8.
        public static final Settings DEFAULT = new Settings(0.9, 0.999, 1e-8);

        public Settings {
            requireDecay("adam_beta1", beta1);
            requireDecay("adam_beta2", beta2);
            if (!(eps >= 0)) throw new InputException("adam_epsilon must be >= 0, got " + eps);
        }

        private static void requireDecay(String name, double beta) {
            if (!(beta >= 0 && beta < 1)) throw new InputException(name + " must be in [0, 1), got " + beta);
        }
    }

    /// A parameter with its moments.
    private record Slot(Parameter parameter, Tensor m, Tensor v) {}

    /// A group with its device-side numbers: lr, b1, b2, eps, wd, 1 - b1^t, 1 - b2^t.
    private record Group(ParamGroup group, Tensor hyper, List<Slot> slots) {}

    /// Allocates moments for all parameters, zeroed, one behind the other: a device can then step through all in one go.
    /// Throws: IllegalArgumentException for a parameter that is frozen, not F32, or in two groups.
    public AdamW(TensorOps ops, List<ParamGroup> groups, Settings settings) {
        this.ops = ops;
        this.settings = settings;
        this.parameters = groups.stream().flatMap(group -> group.parameters().stream()).toList();
        requireUsable();
        for (ParamGroup group : groups) {
            Tensor hyper = ops.allocate("adamw hyper-parameters", DType.F32, Shape.of(7));
            List<Tensor> means = group.parameters().stream().map(parameter -> zeros("exp_avg.", parameter)).toList();
            List<Tensor> squares = group.parameters().stream().map(parameter -> zeros("exp_avg_sq.", parameter)).toList();
            this.groups.add(new Group(group, hyper, slots(group.parameters(), means, squares)));
        }
        stepCount = ops.allocate("adamw " + STEP, DType.I32, Shape.of(1));
        ops.write(stepCount, new int[] {0});
    }

    private void requireUsable() {
        Map<String, Parameter> byName = new LinkedHashMap<>();
        for (Parameter parameter : parameters) {
            if (!parameter.trainable()) throw new IllegalArgumentException(parameter.name() + " is frozen");
            if (parameter.value().dtype() != DType.F32) {
                throw new IllegalArgumentException("%s is %s; trainable parameters are F32"
                        .formatted(parameter.name(), parameter.value().dtype()));
            }
            if (byName.put(parameter.name(), parameter) != null) {
                throw new IllegalArgumentException("two trainable parameters are named " + parameter.name());
            }
        }
    }

    private static List<Slot> slots(List<Parameter> parameters, List<Tensor> means, List<Tensor> squares) {
        List<Slot> slots = new ArrayList<>();
        for (int i = 0; i < parameters.size(); i++) slots.add(new Slot(parameters.get(i), means.get(i), squares.get(i)));
        return slots;
    }

    private Tensor zeros(String prefix, Parameter parameter) {
        Tensor zeros = ops.allocate(prefix + parameter.name(), DType.F32, parameter.value().shape());
        ops.fill(zeros, 0f);
        return zeros;
    }

    @Override
    public List<Parameter> parameters() {
        return parameters;
    }

    @Override
    public void step(double lr, Tensor factor) {
        steps++;
        ops.write(stepCount, new int[] {steps});
        for (Group group : groups) {
            ops.write(group.hyper, hyper(lr * group.group.lrMultiplier(), group.group.weightDecay()));
            for (Slot slot : group.slots) {
                ops.adamW(slot.parameter.value(), slot.parameter.grad(ops), slot.m, slot.v, group.hyper, factor);
            }
        }
    }

    /// The corrections are made from the betas as F32 has them, so that they match what the moments were made with.
    private float[] hyper(double lr, double weightDecay) {
        float beta1 = (float) settings.beta1;
        float beta2 = (float) settings.beta2;
        return new float[] {(float) lr, beta1, beta2, (float) settings.eps, (float) weightDecay,
            (float) (1 - Math.pow(beta1, steps)), (float) (1 - Math.pow(beta2, steps))};
    }

    @Override
    public void zeroGrad() {
        for (Parameter parameter : parameters) parameter.zeroGrad(ops);
    }

    @Override
    public int steps() {
        return steps;
    }

    /// `step` (I32 `[1]`) and, for every parameter, `exp_avg.<name>` (m) and `exp_avg_sq.<name>` (v).
    @Override
    public Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>();
        state.put(STEP, stepCount);
        for (Group group : groups) {
            for (Slot slot : group.slots) {
                state.put(slot.m.name(), slot.m);
                state.put(slot.v.name(), slot.v);
            }
        }
        return state;
    }

    @Override
    public void restore(Map<String, Tensor> saved, String source) {
        Map<String, Tensor> own = state();
        own.forEach((name, tensor) -> requireAlike(source, tensor, name, saved.get(name)));
        for (String name : saved.keySet()) {
            if (!own.containsKey(name)) {
                throw new InputException(("%s: optimizer state %s belongs to no trainable parameter; resume with the "
                        + "settings it was saved with").formatted(source, name));
            }
        }
        own.forEach((name, tensor) -> transfer(tensor, saved.get(name)));
        steps = ops.toInts(stepCount)[0];
    }

    private static void requireAlike(String source, Tensor own, String name, Tensor saved) {
        if (saved == null) {
            throw new InputException("%s: optimizer state %s is missing; resume with the settings it was saved with"
                    .formatted(source, name));
        }
        if (saved.dtype() != own.dtype() || !saved.shape().equals(own.shape())) {
            throw new InputException("%s: optimizer state %s is %s %s, this run needs %s %s".formatted(source, name,
                    saved.dtype(), saved.shape(), own.dtype(), own.shape()));
        }
    }

    private void transfer(Tensor own, Tensor saved) {
        Tensor placed = ops.place(saved);
        if (own.dtype() == DType.I32) ops.write(own, ops.toInts(placed));
        else ops.copy(own, placed);
        if (placed != saved) ops.release(placed);
    }

    @Override
    public void close() {
        if (closed) return;
        closed = true;
        for (Group group : groups) {
            ops.release(group.hyper);
            for (Slot slot : group.slots) {
                ops.release(slot.m);
                ops.release(slot.v);
            }
        }
        ops.release(stepCount);
    }
}
