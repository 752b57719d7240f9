package dev.gale.optim;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/// What all optimizers have in common: groups, state by name, the count of steps; how a parameter changes is its rule's.
///
/// Learning rate and all that depends on the step travel in a small tensor per part, rewritten before each step.
class StatefulOptimizer implements Optimizer {
    private static final String STEP = "step";
    private static final String TOTALS = "totals";
    /// Before the names of parameters in a checkpoint: the values that are trained, where those that are saved are others.
    private static final String TRAINED = "trained";

    private final TensorOps ops;
    private final List<Parameter> parameters;
    private final List<UpdatePart> parts = new ArrayList<>();
    private final Tensor stepCount;
    private final Tensor totals;             // bits of doubles, low and high halves; null if there are none
    private int steps;
    private boolean averaged;
    private boolean closed;

    /// Allocates states for all parameters, zeroed, one behind the other: a device can then step through many in one go.
    /// Throws: IllegalArgumentException for a parameter that is frozen, not F32, or in two groups.
    ///
    /// @param rules gives equal rules to parameters that are updated with the same numbers
    /// @param paged whether states live in host memory, where that is another
    StatefulOptimizer(TensorOps ops, List<ParamGroup> groups, Function<Parameter, UpdateRule> rules, boolean paged) {
        this.ops = ops;
        this.parameters = groups.stream().flatMap(group -> group.parameters().stream()).toList();
        requireUsable();
        for (ParamGroup group : groups) {
            Map<UpdatePart.Kind, List<Parameter>> byKind = new LinkedHashMap<>();
            for (Parameter parameter : group.parameters()) {
                boolean moves = paged && !ops.onHost() && parameter.value().size() >= UpdatePart.PAGED_ELEMENTS;
                UpdatePart.Kind kind = new UpdatePart.Kind(rules.apply(parameter), moves);
                byKind.computeIfAbsent(kind, key -> new ArrayList<>()).add(parameter);
            }
            byKind.forEach((kind, members) -> parts.add(new UpdatePart(ops, group, kind, members)));
        }
        stepCount = ops.allocate("optimizer " + STEP, DType.I32, Shape.of(1));
        ops.write(stepCount, new int[] {0});
        int numbers = parts.stream().mapToInt(part -> part.totals().length).sum();
        totals = numbers == 0 ? null : ops.allocate("optimizer " + TOTALS, DType.I32, Shape.of(2 * numbers));
        if (totals != null) writeTotals();
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

    @Override
    public List<Parameter> parameters() {
        return parameters;
    }

    @Override
    public void step(double lr, Tensor factor) {
        train();
        steps++;
        ops.write(stepCount, new int[] {steps});
        for (UpdatePart part : parts) part.step(lr, factor, steps);
        if (totals != null) writeTotals();
    }

    private void writeTotals() {
        int[] bits = new int[(int) totals.size()];
        int at = 0;
        for (UpdatePart part : parts) {
            for (double total : part.totals()) {
                bits[at++] = (int) Double.doubleToRawLongBits(total);
                bits[at++] = (int) (Double.doubleToRawLongBits(total) >>> 32);
            }
        }
        ops.write(totals, bits);
    }

    private void readTotals() {
        int[] bits = ops.toInts(totals);
        int at = 0;
        for (UpdatePart part : parts) {
            for (int i = 0; i < part.totals().length; i++) {
                part.totals()[i] = Double.longBitsToDouble(bits[at++] & 0xffffffffL | (long) bits[at++] << 32);
            }
        }
    }

    @Override
    public void eval() {
        if (averaged || steps == 0) return;
        averaged = true;
        for (UpdatePart part : parts) part.average();
    }

    @Override
    public void train() {
        if (!averaged) return;
        averaged = false;
        for (UpdatePart part : parts) part.unaverage();
    }

    @Override
    public void zeroGrad() {
        if (averaged) return;                                  // gradients are zero and hold what is trained
        for (Parameter parameter : parameters) parameter.zeroGrad(ops);
    }

    @Override
    public int steps() {
        return steps;
    }

    /// `step` (I32 `[1]`), `totals` if a rule has some, and for every parameter what its rule remembers, as `exp_avg.<name>`.
    @Override
    public Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>();
        state.put(STEP, stepCount);
        if (totals != null) state.put(TOTALS, totals);
        for (UpdatePart part : parts) {
            part.addStates(state);
            if (!part.averages()) continue;
            for (Parameter parameter : part.parameters()) {
                state.put(TRAINED + "." + parameter.name(), averaged ? parameter.grad(ops) : parameter.value());
            }
        }
        return state;
    }

    @Override
    public void restore(Map<String, Tensor> saved, String source) {
        train();
        Map<String, Tensor> own = state();
        own.forEach((name, tensor) -> requireAlike(source, tensor, name, saved.get(name)));
        for (String name : saved.keySet()) {
            if (!own.containsKey(name)) {
                throw new InputException(("%s: optimizer state %s belongs to no trainable parameter; resume with the "
                        + "settings it was saved with").formatted(source, name));
            }
        }
        own.forEach((name, tensor) -> transfer(tensor, saved.get(name).segment()));
        steps = ops.toInts(stepCount)[0];
        if (totals != null) readTotals();
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

    private void transfer(Tensor own, MemorySegment saved) {
        MemorySegment bytes = saved.asSlice(0, own.byteSize());
        if (own.storage() instanceof Storage.Host(MemorySegment segment)) segment.copyFrom(bytes);
        else ops.writeBytes(own, bytes);
    }

    @Override
    public void close() {
        if (closed) return;
        closed = true;
        parts.forEach(UpdatePart::close);
        ops.release(stepCount);
        if (totals != null) ops.release(totals);
    }
}
