package dev.gale.optim;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Parameters of a group that one rule updates, with their states.
///
/// Paged states live in host memory: before their update they are brought to where it computes and afterwards back, a piece
/// at a time, so that the device never holds more of them than `PIECE_BYTES` or those of one parameter.
final class UpdatePart {
    /// States of smaller parameters are not paged. Source: bitsandbytes.
    static final long PAGED_ELEMENTS = 100_000;
    /// Enough to keep the bus busy, little beside a model.
    static final long PIECE_BYTES = 64L << 20;

    private final TensorOps ops;
    private final ParamGroup group;
    private final Kind kind;
    private final List<Slot> slots = new ArrayList<>();
    private final List<Tensor> hypers = new ArrayList<>();
    private final double[] totals;
    private final Arena pages;               // null where states are not paged

    /// What makes parameters of a group be of one part.
    record Kind(UpdateRule rule, boolean paged) {}

    /// A parameter with its states, which live in host memory if they are paged.
    private record Slot(Parameter parameter, List<Tensor> states) {
        long bytes() {
            return states.stream().mapToLong(Tensor::byteSize).sum();
        }
    }

    UpdatePart(TensorOps ops, ParamGroup group, Kind kind, List<Parameter> parameters) {
        this.ops = ops;
        this.group = group;
        this.kind = kind;
        totals = new double[kind.rule.totals()];
        pages = kind.paged ? Arena.ofShared() : null;
        for (int size : kind.rule.hyperSizes()) hypers.add(ops.allocate("hyper-parameters", DType.F32, Shape.of(size)));
        for (Parameter parameter : parameters) slots.add(new Slot(parameter, new ArrayList<>()));
        int most = slots.stream().mapToInt(slot -> kind.rule.states(slot.parameter).size()).max().orElse(0);
        for (int i = 0; i < most; i++) {                       // the same state of all parameters side by side
            for (Slot slot : slots) {
                List<UpdateRule.State> states = kind.rule.states(slot.parameter);
                if (i < states.size()) slot.states.add(zeros(states.get(i), slot.parameter));
            }
        }
    }

    private Tensor zeros(UpdateRule.State state, Parameter parameter) {
        String name = state.name() + "." + parameter.name();
        if (kind.paged) {
            long bytes = state.dtype().bytes(state.shape().size());
            return new Tensor(name, state.dtype(), state.shape(), new Storage.Host(pages.allocate(bytes, 64)));
        }
        Tensor zeros = ops.allocate(name, state.dtype(), state.shape());
        ops.fill(zeros, 0f);
        return zeros;
    }

    double[] totals() {
        return totals;
    }

    boolean averages() {
        return kind.rule.averages();
    }

    List<Parameter> parameters() {
        return slots.stream().map(Slot::parameter).toList();
    }

    void addStates(Map<String, Tensor> state) {
        for (Slot slot : slots) slot.states.forEach(tensor -> state.put(tensor.name(), tensor));
    }

    void step(double lr, Tensor factor, int number) {
        float[][] numbers = kind.rule.hyper(lr * group.lrMultiplier(), group.weightDecay(), number, totals);
        for (int i = 0; i < numbers.length; i++) ops.write(hypers.get(i), numbers[i]);
        UpdateRule.Step step = new UpdateRule.Step(hypers, factor, number, group.weightDecay() != 0);
        if (!kind.paged) {
            for (Slot slot : slots) kind.rule.update(ops, slot.parameter, slot.states, step);
            return;
        }
        int from = 0;
        while (from < slots.size()) {
            int to = from + 1;
            long bytes = slots.get(from).bytes();
            while (to < slots.size() && bytes + slots.get(to).bytes() <= PIECE_BYTES) bytes += slots.get(to++).bytes();
            stepPaged(slots.subList(from, to), step);
            from = to;
        }
    }

    private void stepPaged(List<Slot> piece, UpdateRule.Step step) {
        List<Slot> here = piece.stream().map(slot -> new Slot(slot.parameter, new ArrayList<>())).toList();
        for (int i = 0; i < piece.getFirst().states.size(); i++) {       // side by side too: paged rules have equal numbers
            for (int s = 0; s < piece.size(); s++) here.get(s).states.add(ops.place(piece.get(s).states.get(i)));
        }
        for (Slot slot : here) kind.rule.update(ops, slot.parameter, slot.states, step);
        for (int s = 0; s < piece.size(); s++) {
            for (int i = 0; i < piece.get(s).states.size(); i++) {
                ops.readBytes(piece.get(s).states.get(i).segment(), here.get(s).states.get(i));
            }
        }
        for (Slot slot : here) slot.states.forEach(ops::release);
    }

    /// The gradient takes the value that is trained, the parameter that which is evaluated.
    void average() {
        if (!averages()) return;
        for (Slot slot : slots) {
            ops.copy(slot.parameter.grad(ops), slot.parameter.value());
            kind.rule.average(ops, slot.parameter, slot.states);
        }
    }

    void unaverage() {
        if (!averages()) return;
        for (Slot slot : slots) {
            ops.copy(slot.parameter.value(), slot.parameter.grad(ops));
            slot.parameter.zeroGrad(ops);
        }
    }

    void close() {
        hypers.forEach(ops::release);
        if (pages == null) slots.forEach(slot -> slot.states.forEach(ops::release));
        else pages.close();
    }
}
