package dev.gale.tensor.autograd;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.Fixtures;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// An embedding, residual layers with adapted projections, a norm and a tied head: enough to exercise a tape.
final class TinyModel {
    private static final int WIDTH = 8;
    private static final int WIDE = 24;
    private static final int VOCAB = 11;
    private static final int RANK = 2;
    private static final int[] TOKENS = {3, 1, 4, 1, 5, 9};

    private final Map<String, Parameter> parameters = new LinkedHashMap<>();
    private final TensorOps ops;
    private final int layers;
    private final float dropout;
    private final Tensor ids;
    private final Tensor targets;
    private final Tensor rng;

    TinyModel(TensorOps ops, int layers, float dropout) {
        this.ops = ops;
        this.layers = layers;
        this.dropout = dropout;
        parameter("embedding", VOCAB, WIDTH);
        for (int i = 0; i < layers; i++) {
            parameter("layer " + i + " norm", WIDTH);
            parameter("layer " + i + " up", WIDE, WIDTH);
            parameter("layer " + i + " bias", WIDE);
            parameter("layer " + i + " down", WIDTH, WIDE);
            parameter("layer " + i + " a", RANK, WIDTH);
            parameter("layer " + i + " b", WIDE, RANK);
            parameter("layer " + i + " down a", RANK, WIDE);
            parameter("layer " + i + " down b", WIDTH, RANK);
        }
        parameter("norm", WIDTH);
        ids = ints(TOKENS);
        targets = ints(1, 4, 1, CrossEntropySpec.IGNORE, 9, 2);
        rng = ints(1, 2, 3, 4);
    }

    private void parameter(String name, int... dims) {
        Tensor value = ops.allocate(name, DType.F32, Shape.of(dims));
        ops.write(value, Fixtures.normal((int) value.size(), 0.5, name.hashCode()));
        parameters.put(name, new Parameter(name, value, true));
    }

    private Tensor ints(int... values) {
        Tensor tensor = ops.allocate("ints", DType.I32, Shape.of(values.length));
        ops.write(tensor, values);
        return tensor;
    }

    void freezeAllBut(String... names) {
        Set<String> trainable = Set.of(names);
        parameters.values().forEach(parameter -> parameter.setTrainable(trainable.contains(parameter.name())));
    }

    List<Parameter> trainable() {
        return parameters.values().stream().filter(Parameter::trainable).toList();
    }

    List<Parameter> frozen() {
        List<Parameter> frozen = new ArrayList<>(parameters.values());
        frozen.removeAll(trainable());
        return frozen;
    }

    private Tensor layer(Tape tape, Tensor x, int i) {
        String name = "layer " + i + " ";
        return tape.scope(() -> {
            Tensor normed = F.rmsNorm(tape, x, parameters.get(name + "norm"), 1e-5f);
            Tensor up = F.linear(tape, normed, parameters.get(name + "up"), parameters.get(name + "bias"), null,
                    adapter(name, 2 * i), rng);
            tape.done(normed);
            Tensor gated = F.glu(tape, up, up, Activation.SILU);
            tape.done(up);
            return F.linear(tape, gated, parameters.get(name + "down"), null, x, adapter(name + "down ", 2 * i + 1), rng);
        });
    }

    private Adapter adapter(String name, int stream) {
        return new Adapter(parameters.get(name + "a"), parameters.get(name + "b"), 2f, dropout, stream);
    }

    /// The loss in element 0 of a tensor that the caller releases.
    Tensor forward(Tape tape, boolean checkpoint) {
        Tensor x = F.embedding(tape, parameters.get("embedding"), ids);
        for (int i = 0; i < layers; i++) {
            int index = i;
            Tensor y = checkpoint ? tape.checkpoint((inner, in) -> layer(inner, in, index), x) : layer(tape, x, i);
            tape.done(x);
            x = y;
        }
        return head(tape, x);
    }

    private Tensor head(Tape tape, Tensor x) {
        Tensor hidden = F.rmsNorm(tape, x, parameters.get("norm"), 1e-5f);
        tape.done(x);
        Tensor stats = tape.ops().allocate("stats", DType.F32, Shape.of(2));
        tape.ops().fill(stats, 0f);
        F.linearCrossEntropy(tape, stats, null, hidden, parameters.get("embedding"), targets,
                CrossEntropySpec.chunked(4));
        tape.done(hidden);
        return stats;
    }

    /// A forward and a backward pass; returns the loss.
    float step(TensorOps ops, boolean checkpoint) {
        try (Tape tape = Tape.recording(ops)) {
            return finish(tape, forward(tape, checkpoint));
        }
    }

    /// As `step`, with pairs of checkpointed layers in checkpoints.
    void stepNested(TensorOps ops) {
        try (Tape tape = Tape.recording(ops)) {
            Tensor x = F.embedding(tape, parameters.get("embedding"), ids);
            for (int i = 0; i < layers; i += 2) {
                int first = i;
                Tensor y = tape.checkpoint((outer, in) -> {
                    Tensor middle = outer.checkpoint((inner, at) -> layer(inner, at, first), in);
                    return outer.checkpoint((inner, at) -> layer(inner, at, first + 1), middle);
                }, x);
                tape.done(x);
                x = y;
            }
            finish(tape, head(tape, x));
        }
    }

    private static float finish(Tape tape, Tensor stats) {
        tape.backward();
        float loss = tape.ops().toFloats(stats)[0];
        tape.ops().release(stats);
        return loss;
    }
}
