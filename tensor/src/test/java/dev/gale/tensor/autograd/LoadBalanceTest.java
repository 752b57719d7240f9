package dev.gale.tensor.autograd;

import static dev.gale.tensor.testing.Fixtures.normal;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.RouteSpec;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.GradCheck;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The load-balancing loss of two layers: its gradient, and that layers which are run again are counted once.
class LoadBalanceTest {
    private static final int TOKENS = 7;
    private static final int WIDTH = 4;
    private static final int EXPERTS = 5;
    private static final int PER_TOKEN = 2;
    private static final float FACTOR = 6;
    private static final int[] PRESENT = {1, 2, 3, 4, 0, 6, 0};
    private static final int[][] CHOICES = {
        {0, 1, 0, 1, 0, 2, 0, 3, 2, 4, 1, 0, 3, 3}, {4, 0, 4, 1, 4, 2, 4, 0, 3, 1, 4, 0, 1, 2}};

    /// Layers and what they add to.
    private static final class Layers {
        final TensorOps ops;
        final List<Parameter> parameters = new ArrayList<>();
        final Parameter table;
        final Tensor ids;
        final Experts.Balance balance;

        Layers(TensorOps ops) {
            this.ops = ops;
            table = trainable("table", TOKENS, WIDTH);
            for (int i = 0; i < 2; i++) {
                trainable("router" + i, EXPERTS, WIDTH);
                trainable("w" + i, WIDTH, WIDTH);
            }
            ids = ints(TOKENS, 0, 1, 2, 3, 4, 5, 6);
            Tensor factor = ops.allocate("factor", DType.F32, Shape.of(1));
            ops.write(factor, new float[] {FACTOR});
            balance = new Experts.Balance(ops.allocate("sums", DType.F32, Shape.of(2, EXPERTS)), factor, ints(TOKENS, PRESENT));
        }

        private Parameter trainable(String name, int... dims) {
            Tensor value = ops.allocate(name, DType.F32, Shape.of(dims));
            ops.write(value, normal((int) value.size(), 0.8, 1 + parameters.size()));
            parameters.add(new Parameter(name, value, true));
            return parameters.getLast();
        }

        private Tensor ints(int rows, int... values) {
            int cols = values.length / rows;
            Tensor tensor = ops.allocate("ints", DType.I32, cols == 1 ? Shape.of(rows) : Shape.of(rows, cols));
            ops.write(tensor, values);
            return tensor;
        }

        /// A layer whose choices are given, or made when null.
        Tensor layer(Tape tape, int number, Tensor x, Experts.Balance to, int[] choices) {
            Tensor logits = F.linear(tape, x, parameters.get(1 + 2 * number), null, null, null, null);
            Experts.Choice choice = choices == null ? Experts.route(tape, logits, new RouteSpec(PER_TOKEN, true, 1))
                    : new Experts.Choice(null, ints(TOKENS, choices));
            Experts.balance(tape, logits, choice, to);
            tape.done(logits);
            if (choices != null) return F.linear(tape, x, parameters.get(2 + 2 * number), null, x, null, null);
            Experts.Order order = Experts.order(tape, choice.experts(), EXPERTS);
            Tensor rows = Experts.dispatch(tape, x, order);
            Tensor sum = Experts.combine(tape, rows, order.places(), choice.weights(), x);
            tape.done(rows);
            Tensor y = F.linear(tape, sum, parameters.get(2 + 2 * number), null, x, null, null);
            tape.done(sum);
            return y;
        }

        double loss() {
            float[] sums = ops.toFloats(balance.sums());
            double n = 0;
            double products = 0;
            for (int e = 0; e < EXPERTS; e++) {
                n += sums[e] / PER_TOKEN;
                products += (double) sums[e] * sums[EXPERTS + e];
            }
            return EXPERTS / (n * n) * products;
        }
    }

    @Test
    void theGradientIsThatOfTheWholeLoss() {
        try (TensorOps ops = new ReferenceOps()) {
            Layers layers = new Layers(ops);
            List<Parameter> reached = layers.parameters.subList(0, 4);          // no router reads what the last one made
            GradCheck.ofLoss(ops, reached, (tape, stats) -> {
                ops.fill(layers.balance.sums(), 0f);
                Tensor x = F.embedding(tape, layers.table, layers.ids);
                layers.layer(tape, 1, layers.layer(tape, 0, x, layers.balance, CHOICES[0]), layers.balance, CHOICES[1]);
                ops.write(stats, new float[] {(float) (FACTOR * layers.loss()), 0});
            });
        }
    }

    enum Run {
        PLAIN, CHECKPOINTED, SELECTIVE, TILED, TILED_IN_CHECKPOINTS;

        Tensor layer(Layers layers, Tape tape, int number, Tensor x) {
            Experts.Balance all = layers.balance;
            Segment whole = (t, rows) -> layers.layer(t, number, rows, all, null);
            return switch (this) {
                case PLAIN -> tape.scope(() -> whole.run(tape, x));
                case CHECKPOINTED -> tape.checkpoint(whole, x);
                case SELECTIVE -> tape.checkpoint(whole, x, new Kept(true, false));
                case TILED -> tiled(layers, tape, number, x);
                case TILED_IN_CHECKPOINTS -> tape.checkpoint((t, rows) -> tiled(layers, t, number, rows), x);
            };
        }

        private static Tensor tiled(Layers layers, Tape tape, int number, Tensor x) {
            return tape.tiled(part -> (t, rows) -> layers.layer(t, number, rows, new Experts.Balance(layers.balance.sums(),
                    layers.balance.factor(), t.ops().rows(layers.balance.present(), 3 * part, rows.rows())), null),
                    x, layers.parameters.subList(1 + 2 * number, 3 + 2 * number), 3);
        }
    }

    /// Sums, then the gradient of each parameter.
    private static List<float[]> results(Run run) {
        try (TensorOps ops = new CpuOps()) {
            Layers layers = new Layers(ops);
            ops.fill(layers.balance.sums(), 0f);
            List<float[]> results = new ArrayList<>();
            try (Tape tape = Tape.recording(ops)) {
                Tensor x = F.embedding(tape, layers.table, layers.ids);
                Tensor y = run.layer(layers, tape, 1, run.layer(layers, tape, 0, x));
                ops.write(tape.rootGradient(y), normal(TOKENS * WIDTH, 1, 9));
                tape.backward();
                results.add(ops.toFloats(layers.balance.sums()));
            }
            layers.parameters.forEach(parameter -> results.add(ops.toFloats(parameter.grad(ops))));
            return results;
        }
    }

    @ParameterizedTest
    @EnumSource(Run.class)
    void aLayerThatIsRunAgainIsCountedOnce(Run run) {
        List<float[]> want = results(Run.PLAIN);
        List<float[]> got = results(run);
        float choices = 0;
        for (int e = 0; e < EXPERTS; e++) choices += got.getFirst()[e];
        assertEquals(2 * 5 * PER_TOKEN, choices);
        boolean tiled = run.name().startsWith("TILED");
        for (int i = 0; i < want.size(); i++) {
            if (!tiled) assertArrayEquals(want.get(i), got.get(i));
            else assertArrayEquals(want.get(i), got.get(i), 1e-5f);              // parts add up in another order
        }
    }

    @Test
    void layersThatAreNotTrainedAreCountedToo() {
        try (TensorOps ops = new CpuOps()) {
            Layers layers = new Layers(ops);
            layers.parameters.forEach(parameter -> parameter.setTrainable(false));
            ops.fill(layers.balance.sums(), 0f);
            long live = ops.memory().liveBytes();
            try (Tape tape = Tape.recording(ops)) {
                Run.CHECKPOINTED.layer(layers, tape, 0, F.embedding(tape, layers.table, layers.ids));
                tape.backward();
            }
            assertEquals(live, ops.memory().liveBytes());
            assertNotEquals(0, ops.toFloats(layers.balance.sums())[EXPERTS]);
        }
    }
}
