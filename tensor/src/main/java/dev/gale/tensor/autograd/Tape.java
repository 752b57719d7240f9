package dev.gale.tensor.autograd;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/// Runs operations and remembers those that lead to a trainable parameter, so that `backward` can walk them in reverse.
///
/// Memory is decided here and nowhere else. A tensor made through the tape belongs to the innermost open `scope`. It is
/// released when the scope ends or `done` is called, unless a recorded operation saved it: then after the last
/// such operation's backward. A tensor that was `forgotten` is released at once and made again when backward comes to an
/// operation that saved it. Tensors not made by this tape (weights, inputs) are never released.
/// Releases come in an order that the pass alone decides, so that a plan and a run use memory alike.
/// Where a segment is run again, each operation is held back until the tape is used for the next one: nobody reads the
/// segment's result there, so of the operation that made it last only what its backward reads is computed.
/// Not thread-safe: one tape serves one pass of one thread.
public final class Tape implements AutoCloseable {
    private final TensorOps ops;
    private final boolean recording;
    private final boolean training;
    private final Grads grads;
    private final boolean ownsGrads;
    private final boolean recomputing;                                         // runs a segment again, then its backward
    private final boolean again;                                               // what runs here ran before
    private final Deque<List<Tensor>> kept;                                    // results of costly operations, or null
    private final List<Node> recorded = new ArrayList<>();
    private final Map<Tensor, Integer> savedBy = new HashMap<>();
    private final Map<Tensor, Set<Tensor>> scopeOf = new LinkedHashMap<>();     // tensors made here and not released
    private final Deque<Set<Tensor>> scopes = new ArrayDeque<>();
    private final Map<Tensor, Op> repeatable = new HashMap<>();                // what made a tensor and can do so again
    private final Set<Tensor> forgotten = new HashSet<>();                     // saved, but released
    private final Set<Integer> borders = new HashSet<>();                      // numbers of nodes that begin a layer
    private final List<Tensor> leaving = new ArrayList<>();                    // on their way to the host
    private boolean metWanted;                                                 // an operation that wants a gradient ran
    private Op held;                                                           // given to run, but its forward still waits
    private final List<Runnable> afterHeld = new ArrayList<>();                // releases and borders that came since
    private static final Set<Tensor> LEFT = Set.of();                          // scope ended, alive because saved

    /// A recorded operation and what it keeps alive.
    private record Node(Op op, List<Tensor> saved) {}

    private Tape(TensorOps ops, boolean recording, boolean training) {
        this(ops, recording, training, new Grads(ops), true, false, null);
    }

    private Tape(TensorOps ops, boolean recording, boolean training, Grads grads, boolean ownsGrads, boolean again,
            Deque<List<Tensor>> kept) {
        this.ops = ops;
        this.recording = recording;
        this.training = training;
        this.grads = grads;
        this.ownsGrads = ownsGrads;
        this.again = again;
        recomputing = recording && !ownsGrads;
        this.kept = kept;
        scopes.push(new LinkedHashSet<>());
    }

    /// A tape for training: records.
    public static Tape recording(TensorOps ops) {
        return new Tape(ops, true, true);
    }

    /// A tape for evaluation and generation: keeps nothing for backward.
    public static Tape inference(TensorOps ops) {
        return new Tape(ops, false, false);
    }

    public TensorOps ops() {
        runHeld(null);
        return ops;
    }

    /// True when operations that lead to trainable parameters are remembered.
    public boolean isRecording() {
        return recording;
    }

    /// True in the forward pass of training, whether it is recorded now or will be run again: dropout drops.
    public boolean isTraining() {
        return training;
    }

    /// True when this tape records and the gradient of this activation leads to a trainable parameter.
    public boolean wantsGradient(Tensor activation) {
        return recording && grads.wants(activation);
    }

    /// An activation of undefined content that belongs to the innermost scope.
    public Tensor allocate(String name, Shape shape) {
        return allocate(name, ops.activationType(), shape);
    }

    public Tensor allocate(String name, DType dtype, Shape shape) {
        runHeld(null);
        Tensor tensor = ops.allocate(name, dtype, shape);
        own(tensor);
        return tensor;
    }

    /// The gradient of an activation, of undefined content, that a loss fills in its forward pass: `backward` starts
    /// from it.
    /// Throws: IllegalStateException when there is one already.
    public Tensor rootGradient(Tensor activation) {
        if (grads.peek(activation) != null) throw new IllegalStateException(activation.name() + " has a loss already");
        return grads.sink(activation).tensor();
    }

    /// Runs an operation's forward and returns its output. It is recorded if one of its inputs or parameters wants a
    /// gradient.
    public Tensor run(Op op) {
        if (again && op.once()) {
            recordIfWanted(op);
            return op.output();
        }
        runHeld(null);
        if (recomputing) held = op;
        else op.forward(ops);
        recordIfWanted(op);
        return op.output();
    }

    private void recordIfWanted(Op op) {
        if (!training || !wantsBackward(op)) return;
        metWanted = true;
        if (recording) record(op);
    }

    /// Where an operation that costs much beside what it makes, attention for one, shall write its results: a selective
    /// checkpoint keeps them, and here they are when it is run again. None may be the result of a checkpointed segment.
    ///
    /// @param room allocates them on this tape
    List<Tensor> costlyResults(Supplier<List<Tensor>> room) {
        if (!recomputing || kept == null) return room.get();
        runHeld(null);
        List<Tensor> results = kept.removeFirst();
        results.forEach(this::own);
        return results;
    }

    /// As `run`, but without forward if a checkpoint kept what the operation makes.
    ///
    /// @param results what `costlyResults` gave
    Tensor runCostly(Op op, List<Tensor> results) {
        if (recomputing && kept != null) {
            recordIfWanted(op);
            return op.output();
        }
        run(op);
        if (kept != null) {
            results.forEach(this::disown);
            kept.add(results);
        }
        return op.output();
    }

    private void own(Tensor tensor) {
        scopes.peek().add(tensor);
        scopeOf.put(tensor, scopes.peek());
    }

    private void disown(Tensor tensor) {
        scopeOf.remove(tensor).remove(tensor);
    }

    /// Runs the operation that was held back, and what was to follow it.
    /// @param unread a tensor that forward will not read any more, or null
    private void runHeld(Tensor unread) {
        if (held == null) return;
        Op op = held;
        held = null;
        if (unread != null && op.output() == unread && !savedBy.containsKey(unread)) op.forwardForBackward(ops);
        else op.forward(ops);
        runAfterHeld();
    }

    private void runAfterHeld() {
        afterHeld.forEach(Runnable::run);
        afterHeld.clear();
    }

    private void afterHeld(Runnable action) {
        if (held == null) action.run();
        else afterHeld.add(action);
    }

    private boolean wantsBackward(Op op) {
        for (Tensor input : op.inputs()) {
            if (grads.wants(input)) return true;
        }
        for (Parameter parameter : op.parameters()) {
            if (parameter.trainable()) return true;
        }
        return false;
    }

    private void record(Op op) {
        Node node = new Node(op, op.saved(grads));
        for (Tensor tensor : node.saved()) savedBy.merge(tensor, 1, Integer::sum);
        if (op.output() == null) op.inputs().forEach(repeatable::remove);      // changed in place
        else grads.want(op.output());
        if (op.repeatable()) repeatable.put(op.output(), op);
        recorded.add(node);
    }

    /// Runs a piece of the forward pass; what it made and nobody saved is released at its end, except its result.
    public Tensor scope(Supplier<Tensor> body) {
        border();
        scopes.push(new LinkedHashSet<>());
        Tensor result = body.get();
        Set<Tensor> ended = scopes.pop();
        border();
        if (ended.remove(result)) own(result);
        ended.forEach(this::leave);
        return result;
    }

    /// A layer begins or ends, in forward now and in backward when it comes here.
    private void border() {
        afterHeld(ops::border);
        borders.add(recorded.size());
    }

    /// Says that the forward pass will not read this tensor again: it is released now unless saved for backward.
    public void done(Tensor tensor) {
        Set<Tensor> scope = scopeOf.get(tensor);
        if (scope == null || scope == LEFT) return;
        scope.remove(tensor);
        leave(tensor);
    }

    /// As `done`, but what backward will read of this tensor is made again then instead of kept: less memory for a little
    /// arithmetic. It is kept where its operation was not recorded, cannot be repeated, or what it made was changed since;
    /// also where a segment is run again, for it was made twice by then, and its backward follows at once.
    public void forget(Tensor tensor) {
        Set<Tensor> scope = scopeOf.get(tensor);
        if (recomputing || scope == null || scope == LEFT || !savedBy.containsKey(tensor) || !repeatable.containsKey(tensor)) {
            done(tensor);
            return;
        }
        scope.remove(tensor);
        release(tensor);
        forgotten.add(tensor);
    }

    private void remember(Tensor tensor) {
        if (!forgotten.remove(tensor)) return;
        Op op = repeatable.get(tensor);
        op.saved(grads).forEach(this::remember);
        ops.restore(tensor);
        scopeOf.put(tensor, LEFT);
        op.forward(ops);
    }

    private void leave(Tensor tensor) {
        if (savedBy.containsKey(tensor)) {
            scopeOf.put(tensor, LEFT);
        } else {
            release(tensor);
        }
    }

    private void release(Tensor tensor) {
        scopeOf.remove(tensor);
        afterHeld(() -> ops.release(tensor));
    }

    /// Runs a segment without keeping anything but its input, and runs it again, recording, when backward needs it:
    /// that is, when something in it leads to a trainable parameter.
    /// The segment must not have side effects but those of operations that run `once`, its random numbers must be
    /// counter-based, and it must use its tape alone to read what it makes.
    public Tensor checkpoint(Segment segment, Tensor x) {
        return checkpoint(segment, x, Kept.INPUT);
    }

    /// @param keeps what is kept, and where; x must not be read by others after this
    public Tensor checkpoint(Segment segment, Tensor x, Kept keeps) {
        Tensor y;
        boolean wanted;
        Deque<List<Tensor>> results = null;
        runHeld(null);
        ops.border();
        boolean offload = keeps.offload() && recording;
        boolean selective = keeps.selective() && recording;
        if (offload) ops.offload(x);
        try (Tape forward = new Tape(ops, false, training, grads, false, again, selective ? new ArrayDeque<>() : null)) {
            y = forward.handOver(segment.run(forward, x));
            wanted = forward.metWanted;
            if (wanted) results = forward.handOverKept();
        }
        ops.border();
        leaving.forEach(ops::evict);
        leaving.clear();
        if (offload) ops.evict(x);
        own(y);
        metWanted |= wanted;
        if (recording && wanted) {
            if (results != null) {
                results.forEach(made -> made.forEach(tensor -> scopeOf.put(tensor, LEFT)));
                if (offload) results.forEach(made -> made.forEach(this::leaveForHost));
            }
            record(new Checkpoint(this, segment, x, y, results));
        }
        return y;
    }

    /// Runs a segment that treats each row alone, on a number of rows at a time.
    /// Shapes: x and the result alike.
    ///
    /// @param parameters of the segment
    public Tensor tiled(TiledSegment segment, Tensor x, List<Parameter> parameters, int rows) {
        Tensor y = allocate("tiled", x.dtype(), x.shape());
        return run(new Tiled(this, segment, x, y, List.copyOf(parameters), rows));
    }

    /// Writes: `y =` the segment's result on x.
    void forwardTile(Segment segment, Tensor y, Tensor x) {
        ops.border();
        try (Tape forward = new Tape(ops, false, training, grads, false, again, null)) {
            Tensor made = forward.handOver(segment.run(forward, x));
            ops.copy(y, made);
            ops.release(made);
        }
        ops.border();
    }

    /// Runs a segment on its input and propagates through it. Writes: `dy =` the gradient of x, if it is wanted.
    void backwardTile(Segment segment, Tensor x, Tensor dy, boolean wanted) {
        ops.border();
        if (wanted) grads.want(x);
        try (Tape tile = new Tape(ops, true, true, grads, false, true, null)) {
            Tensor y = segment.run(tile, x);
            tile.runHeld(y);
            grads.accumulate(y, dy);
            tile.backward();
        }
        Tensor dx = grads.take(x);
        if (dx != null) {
            ops.copy(dy, dx);
            ops.release(dx);
        }
        ops.border();
    }

    private void leaveForHost(Tensor tensor) {
        ops.offload(tensor);
        leaving.add(tensor);
    }

    private Deque<List<Tensor>> handOverKept() {
        if (kept == null) return null;
        Deque<List<Tensor>> results = new ArrayDeque<>(kept);
        kept.clear();
        return results;
    }

    private Tensor handOver(Tensor result) {
        Set<Tensor> scope = scopeOf.remove(result);
        if (scope == null) throw new IllegalStateException("a checkpointed segment returned a tensor it did not make");
        scope.remove(result);
        return result;
    }

    /// Re-runs a segment on its input and propagates through it; called by the segment's node. What the segment before it kept
    /// comes back meanwhile, if it was offloaded.
    void recomputeAndBackward(Checkpoint checkpoint, Tensor dy) {
        ops.border();
        checkpoint.keeps().forEach(ops::fetch);
        prefetchNext();
        Deque<List<Tensor>> results = checkpoint.kept();
        if (results != null) results.forEach(made -> made.forEach(scopeOf::remove));
        try (Tape tape = new Tape(ops, true, true, grads, false, true, results)) {
            Tensor y = checkpoint.segment().run(tape, checkpoint.x());
            tape.runHeld(y);
            grads.give(y, dy);
            tape.backward();
        }
        ops.border();
    }

    private void prefetchNext() {
        for (Node node : recorded.reversed()) {
            if (!(node.op() instanceof Checkpoint checkpoint)) continue;
            checkpoint.keeps().forEach(ops::prefetch);
            return;
        }
    }

    /// Propagates from every recorded loss (and from gradients already given) to the parameters, which accumulate.
    /// The tape is empty afterwards.
    public void backward() {
        if (!recording) throw new IllegalStateException("this tape does not record; use Tape.recording");
        leaving.clear();
        endScopes();
        for (int i = recorded.size() - 1; i >= 0; i--) {
            Node node = recorded.remove(i);
            Op op = node.op();
            Tensor dy = op.output() == null ? null : grads.take(op.output());
            if (op.output() == null || dy != null) {
                node.saved().forEach(this::remember);
                op.backward(ops, dy, grads);
            }
            node.saved().forEach(this::unsave);
            if (borders.contains(i)) ops.border();
        }
        borders.clear();
        repeatable.clear();
    }

    private void unsave(Tensor tensor) {
        int left = savedBy.merge(tensor, -1, Integer::sum);
        if (left > 0) return;
        savedBy.remove(tensor);
        forgotten.remove(tensor);
        if (scopeOf.get(tensor) == LEFT) release(tensor);
    }

    private void endScopes() {
        while (!scopes.isEmpty()) scopes.pop().forEach(this::leave);
        scopes.push(new LinkedHashSet<>());
    }

    /// Releases everything the tape still holds.
    @Override
    public void close() {
        held = null;
        runAfterHeld();
        for (Tensor tensor : List.copyOf(scopeOf.keySet())) release(tensor);
        if (kept != null) kept.forEach(made -> made.forEach(ops::release));
        scopes.clear();
        recorded.clear();
        savedBy.clear();
        if (ownsGrads) grads.close();
    }
}
