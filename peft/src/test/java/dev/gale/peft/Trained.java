package dev.gale.peft;

import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.ModelConfig;
import dev.gale.nn.ModelInput;
import dev.gale.nn.RopeConfig;
import dev.gale.nn.RouterLoss;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Assumptions;

/// Models, adapters and batches for tests.
final class Trained {
    private Trained() {}

    /// Prefix of names of fixtures beside the project; a test that asks for them is skipped when they are not there.
    static final String SHARED = "shared:";

    static Path base(String model) {
        if (model.startsWith(SHARED)) return shared(model);
        return Path.of(System.getProperty("gale.root"), "nn", "src", "test", "resources", "fixtures", model);
    }

    private static Path shared(String name) {
        Path folder = Path.of(System.getProperty("gale.root"), "..", "shared", "fixtures", name.substring(SHARED.length()));
        Assumptions.assumeTrue(folder.toFile().isDirectory(), "shared fixtures are missing: " + folder);
        return folder;
    }

    /// Where the batch of an adapter's goldens is: beside them, or with the base.
    static Path inputs(String name) {
        return name.startsWith(SHARED) ? shared(name).getParent() : adapter(name);
    }

    static Path adapter(String name) {
        if (name.startsWith(SHARED)) return shared(name);
        try {
            return Path.of(Trained.class.getResource("/fixtures/" + name).toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    static CausalLm model(String name, DType dtype, TensorOps ops) {
        return CausalLm.load(base(name), LoadOptions.defaults().withDtype(dtype), ops);
    }

    /// A folder of the real inputs; skips the test when they are not unpacked.
    static Path real(String name) {
        String given = System.getProperty("GALE_REAL_INPUTS", System.getenv("GALE_REAL_INPUTS"));
        Path root = given != null ? Path.of(given) : Path.of(System.getProperty("gale.root"), "build", "real-inputs");
        Assumptions.assumeTrue(root.resolve(name).toFile().exists(), "real inputs are not unpacked: " + root);
        return root.resolve(name);
    }

    /// Two layers of width 8 with 4 heads, 2 for keys and values, MLP of 12, vocabulary 16, biases everywhere.
    static CausalLm small(boolean tied, DType dtype, TensorOps ops) {
        ModelConfig config = new ModelConfig("LlamaForCausalLM", 8, 12, 2, 4, 2, 2, 16, 64, 1e-5, Activation.SILU, true,
                true, tied, RopeConfig.plain(10_000), 1, List.of(2), 0, dtype, 0.3);
        return CausalLm.random(config, 7, dtype, ops);
    }

    static float[] logits(CausalLm model, int[]... sequences) {
        ModelInput in = ModelInput.of(model.ops(), sequences);
        try (Tape tape = Tape.inference(model.ops())) {
            return model.ops().toFloats(model.logits(tape, model.hidden(tape, in, Checkpointing.NONE)));
        } finally {
            in.release(model.ops());
        }
    }

    /// What a model learns from: sequences, and for each token the one to predict.
    record Batch(int[][] sequences, int[] targets) {

        /// The rows of a file, without their padding; row i predicts label i + 1.
        static Batch of(Safetensors file, int[] labels) {
            int[] mask = file.readInts("attention_mask");
            int[] ids = file.readInts("input_ids");
            int rows = 2;
            int width = ids.length / rows;
            int[][] sequences = new int[rows][];
            IntStream targets = IntStream.empty();
            for (int r = 0; r < rows; r++) {
                int from = r * width;
                int length = IntStream.range(from, from + width).map(i -> mask[i]).sum();
                sequences[r] = Arrays.copyOfRange(ids, from, from + length);
                IntStream next = IntStream.range(from + 1, from + length).map(i -> labels[i]);
                targets = IntStream.concat(targets, IntStream.concat(next, IntStream.of(CrossEntropySpec.IGNORE)));
            }
            return new Batch(sequences, targets.toArray());
        }

        int tokens() {
            return (int) IntStream.of(targets).filter(target -> target != CrossEntropySpec.IGNORE).count();
        }
    }

    /// Sum of the losses of a batch; gradients of it accumulate in the parameters.
    static float lossSum(CausalLm model, Batch batch, long seed) {
        return lossSum(model, batch, seed, Checkpointing.NONE);
    }

    static float lossSum(CausalLm model, Batch batch, long seed, Checkpointing checkpointing) {
        return lossSum(model, ModelInput.of(model.ops(), batch.sequences), batch, seed, checkpointing);
    }

    /// The same with `auxCoef` times the router's loss as a part of the mean loss.
    static float routedLossSum(CausalLm model, Batch batch, double auxCoef) {
        try (RouterLoss router = new RouterLoss(model.ops(), model.config().variant().mixture(), 1)) {
            double share = auxCoef * batch.tokens();
            router.begin((float) share);
            ModelInput in = router.on(ModelInput.of(model.ops(), batch.sequences), 0);
            float sum = lossSum(model, in, batch, 0, Checkpointing.LAYER);
            return (float) (sum + share * router.values()[0]);
        }
    }

    private static float lossSum(CausalLm model, ModelInput in, Batch batch, long seed, Checkpointing checkpointing) {
        TensorOps ops = model.ops();
        in.seed(ops, seed, 0, 0);
        Tensor targets = ops.allocate("targets", DType.I32, Shape.of(batch.targets.length));
        Tensor stats = ops.allocate("stats", DType.F32, Shape.of(2));
        ops.write(targets, batch.targets);
        ops.fill(stats, 0);
        try (Tape tape = Tape.recording(ops)) {
            Tensor hidden = model.hidden(tape, in, checkpointing);
            model.loss(tape, stats, null, hidden, targets, null, model.lossSpec(16));
            tape.backward();
            return ops.toFloats(stats)[0];
        } finally {
            in.release(ops);
            ops.release(targets);
            ops.release(stats);
        }
    }

    static double norm(float[] values) {
        double sum = 0;
        for (float value : values) sum += (double) value * value;
        return Math.sqrt(sum);
    }

    static float[] minus(float[] a, float[] b) {
        float[] difference = new float[a.length];
        for (int i = 0; i < a.length; i++) difference[i] = a[i] - b[i];
        return difference;
    }

    static Parameter named(List<Parameter> parameters, String name) {
        return parameters.stream().filter(parameter -> parameter.name().equals(name)).findFirst().orElseThrow();
    }

    static TensorOps ops() {
        return new ReferenceOps();
    }
}
