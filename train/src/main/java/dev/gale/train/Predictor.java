package dev.gale.train;

import dev.gale.nn.CausalLm;
import dev.gale.nn.ModelInput;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.data.Batch;
import dev.gale.train.data.Example;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// Finds the likeliest token at each learned place of held-out examples: one forward pass for each, and logits of `ROWS` places
/// at a time.
final class Predictor {
    private static final int ROWS = 64;

    private final TensorOps ops;
    private final CausalLm model;

    Predictor(TensorOps ops, CausalLm model) {
        this.ops = ops;
        this.model = model;
    }

    List<Prediction> predict(List<Example> examples) {
        return examples.stream().map(this::predict).toList();
    }

    private Prediction predict(Example example) {
        Batch whole = Batch.of(List.of(example));
        int[] rows = IntStream.range(0, whole.tokens()).filter(i -> whole.targets()[i] != CrossEntropySpec.IGNORE).toArray();
        Batch batch = whole.padded(ops.batchRows(whole.tokens()));
        ModelInput input = ModelInput.of(ops, batch.ids(), batch.positions(), batch.start(), batch.stop());
        int[] predicted = new int[rows.length];
        try (Tape tape = Tape.inference(ops)) {
            Tensor hidden = model.hidden(tape, input, Checkpointing.NONE);                     // [M, D]
            for (int from = 0; from < rows.length; from += ROWS) {
                int[] part = Arrays.copyOfRange(rows, from, Math.min(rows.length, from + ROWS));
                System.arraycopy(best(tape, hidden, part), 0, predicted, from, part.length);
            }
        } finally {
            input.release(ops);
        }
        return new Prediction(predicted, Arrays.stream(rows).map(row -> whole.targets()[row]).toArray());
    }

    private int[] best(Tape tape, Tensor hidden, int[] rows) {
        Tensor places = ops.allocate("learned rows", DType.I32, Shape.of(rows.length));
        try {
            ops.write(places, rows);
            Tensor selected = tape.allocate("learned hidden", Shape.of(rows.length, hidden.cols()));
            ops.gatherRows(selected, hidden, places);
            Tensor logits = model.logits(tape, selected);                                      // [rows, V]
            float[] values = ops.toFloats(logits);
            tape.done(selected);
            tape.done(logits);
            int vocab = values.length / rows.length;
            return IntStream.range(0, rows.length).map(row -> largest(values, row * vocab, vocab)).toArray();
        } finally {
            ops.release(places);
        }
    }

    private static int largest(float[] values, int from, int count) {
        int best = 0;
        for (int i = 1; i < count; i++) if (values[from + i] > values[from + best]) best = i;
        return best;
    }
}
