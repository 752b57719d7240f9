package dev.gale.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.LoadOptions;
import dev.gale.optim.Optimizer;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.data.Batch;
import dev.gale.train.data.Example;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Runs whose activations and their gradients are F16, on the reference, which rounds them as a device does.
class HalfRunsTest {
    @TempDir
    private Path folder;
    private Path base;

    @BeforeEach
    void writeBase() throws IOException {
        base = TinyRuns.base(folder.resolve("fresh"));
    }

    private static TensorOps halves() {
        return FailingOps.replacing(new ReferenceOps(), "activationType", args -> DType.F16);
    }

    /// Halves whose n-th step, counted from 1, has a gradient that is not finite.
    private static TensorOps halvesWithABrokenStep(int n) {
        TensorOps ops = new ReferenceOps();
        int[] steps = new int[1];
        TensorOps broken = FailingOps.replacing(ops, "clipFactor", args -> {
            if (++steps[0] == n) ops.fill((Tensor) args[1], Float.POSITIVE_INFINITY);
            ops.clipFactor((Tensor) args[0], (Tensor) args[1], (Tensor) args[2], (float) args[3]);
            return null;
        });
        return FailingOps.replacing(broken, "activationType", args -> DType.F16);
    }

    private SftConfigBuilder config(String output) {
        return SftConfig.builder().outputDir(folder.resolve(output)).learningRate(1e-2).numTrainEpochs(2)
                .perDeviceTrainBatchSize(2).gradientAccumulationSteps(2).maxLength(32).loggingSteps(1).saveSteps(3)
                .warmupSteps(2);
    }

    private static List<float[]> values(FastLanguageModel model) {
        List<float[]> values = new ArrayList<>();
        for (Parameter parameter : model.trainable()) values.add(model.ops().toFloats(parameter.value()));
        return values;
    }

    private static void assertSame(List<float[]> want, List<float[]> got) {
        assertEquals(want.size(), got.size());
        for (int i = 0; i < want.size(); i++) assertArrayEquals(want.get(i), got.get(i), 0f);
    }

    /// What steps of a model do, one after the other.
    private interface Steps {
        void run(FastLanguageModel model, Optimizer optimizer, TrainStep step);
    }

    private void steps(TensorOps ops, Steps steps) {
        SftConfig config = config("steps").build();
        try (FastLanguageModel model = TinyRuns.adapted(base, 0, ops);
             Optimizer optimizer = SftTrainer.optimizer(ops, model.trainable(), config, 3);
             TrainStep step = new TrainStep(ops, model.model(), optimizer, config)) {
            steps.run(model, optimizer, step);
        }
    }

    private static void scale(TrainStep step, double scale) {
        step.scaler().orElseThrow().restore(Map.of("scale", scale, "growth_tracker", 0.0, "skipped", 0.0), "test");
    }

    /// Beyond 65504 gradients are infinite: the scale halves until they are not, and nothing is left of the steps before.
    @Test
    void stepsThatOverflowAreLeftOutAndTheNextGoesOn() {
        List<Batch> batch = List.of(Batch.of(TinyRuns.examples(4)));
        double[] fitting = new double[1];
        List<float[]> after = new ArrayList<>();
        steps(halves(), (model, optimizer, step) -> {
            scale(step, 0x1p40);
            List<float[]> before = values(model);
            double scale = 0x1p40;
            while (step.run(batch, 1, 1e-2).skipped()) {
                assertSame(before, values(model));
                assertEquals(0, optimizer.steps());
                scale /= 2;
                assertEquals(scale, step.scaler().orElseThrow().scale());
            }
            assertTrue(scale < 0x1p40 && scale > 65536, "fits at " + scale);
            assertEquals(1, optimizer.steps());
            assertEquals(scale, step.scaler().orElseThrow().scale());
            fitting[0] = scale;
            after.addAll(values(model));
        });
        steps(halves(), (model, optimizer, step) -> {
            scale(step, fitting[0]);
            assertFalse(step.run(batch, 1, 1e-2).skipped());
            assertSame(after, values(model));
        });
    }

    @Test
    void gradientsThatNoScaleMakesFiniteEndTheRun() {
        List<Batch> batch = List.of(Batch.of(TinyRuns.examples(4)));
        steps(halves(), (model, optimizer, step) -> {
            model.ops().fill(model.trainable().getFirst().value(), Float.NaN);
            for (int i = 1; i <= 16; i++) assertTrue(step.run(batch, i, 1e-2).skipped());
            assertEquals(1, step.scaler().orElseThrow().scale());
            String message = assertThrows(TrainingException.class, () -> step.run(batch, 17, 1e-2)).getMessage();
            assertTrue(message.contains("every loss scale down to 1"), message);
        });
    }

    /// Without F16 nothing is scaled, and nothing is left out.
    @Test
    void otherDtypesHaveNoScale() {
        steps(new CpuOps(), (model, optimizer, step) -> {
            assertTrue(step.scaler().isEmpty());
            model.ops().fill(model.trainable().getFirst().value(), Float.NaN);
            assertThrows(TrainingException.class, () -> step.run(List.of(Batch.of(TinyRuns.examples(4))), 1, 1e-2));
        });
    }

    /// The step after the one left out has its learning rate, as schedules count updates.
    @Test
    void aResumeGoesOnWithTheScaleBitForBit() throws IOException {
        List<Example> examples = TinyRuns.examples(20);
        List<float[]> uninterrupted;
        try (FastLanguageModel model = TinyRuns.adapted(base, 0.2, halvesWithABrokenStep(2))) {
            new SftTrainer(model, examples, List.of(), config("whole").fp16(true).build()).train();
            uninterrupted = values(model);
        }
        try (FastLanguageModel model = TinyRuns.adapted(base, 0.2, halves())) {
            SftConfig resumed = config("resumed").resumeFromCheckpoint(folder.resolve("whole/checkpoint-3")).build();
            new SftTrainer(model, examples, List.of(), resumed).train();
            assertSame(uninterrupted, values(model));
        }
        assertEquals(-1, Files.mismatch(folder.resolve("whole/checkpoint-9/optimizer.safetensors"),
                folder.resolve("resumed/checkpoint-9/optimizer.safetensors")));
        List<JsonNode> whole = history("whole");
        assertEquals(whole.stream().map(HalfRunsTest::told).toList(), history("resumed").stream().map(HalfRunsTest::told)
                .toList());
        assertEquals(65536, whole.get(1).get("loss_scale").asDouble());
        assertEquals(32768, whole.get(2).get("loss_scale").asDouble());
        assertEquals(1, whole.get(2).get("skipped_steps").asInt());
        assertEquals(5e-3, whole.get(1).get("learning_rate").asDouble());
        assertEquals(5e-3, whole.get(2).get("learning_rate").asDouble());
        assertEquals(1e-2, whole.get(3).get("learning_rate").asDouble());
        JsonNode saved = state("whole/checkpoint-9").get("stateful_callbacks").get("gale").get("loss_scaler");
        assertEquals(7, saved.get("growth_tracker").asInt());
        assertEquals(saved, state("resumed/checkpoint-9").get("stateful_callbacks").get("gale").get("loss_scaler"));
        assertTrue(Files.readString(folder.resolve("whole/metrics.jsonl")).contains("\"loss_scale\":32768.0"));
    }

    private JsonNode state(String directory) throws IOException {
        return new ObjectMapper().readTree(Files.readAllBytes(folder.resolve(directory).resolve("trainer_state.json")));
    }

    private List<JsonNode> history(String run) throws IOException {
        List<JsonNode> entries = new ArrayList<>();
        for (JsonNode entry : state(run).get("log_history")) if (entry.has("loss")) entries.add(entry);
        return entries;
    }

    private static String told(JsonNode entry) {
        return String.join(" ", entry.get("step").asText(), entry.get("loss").asText(), entry.get("grad_norm").asText(),
                entry.get("learning_rate").asText(), entry.get("loss_scale").asText(), entry.get("skipped_steps").asText());
    }

    /// What `gradNorm` is of a model that knows its examples already, so that the gradients of its many tokens are small.
    private double gradNorm(Path fitted, TensorOps ops, List<Batch> batch, double scale) {
        double[] norm = new double[1];
        Path before = base;
        base = fitted;
        steps(ops, (model, optimizer, step) -> {
            if (step.scaler().isPresent()) scale(step, scale);
            norm[0] = step.run(batch, 1, 0).gradNorm();
        });
        base = before;
        return norm[0];
    }

    @Test
    void smallGradientsVanishUnlessTheyAreScaled() {
        List<Example> examples = TinyRuns.examples(2);
        Path fitted = folder.resolve("fitted");
        try (FastLanguageModel model = FastLanguageModel.open(base, LoadOptions.defaults().withTrainable(true), new CpuOps())) {
            new SftTrainer(model, examples, List.of(), config("fitted").learningRate(3e-2).numTrainEpochs(300)
                    .gradientAccumulationSteps(1).build())
                    .train();
        }
        List<Batch> batch = List.of(Batch.of(Collections.nCopies(40, examples).stream().flatMap(List::stream).toList()));
        double whole = gradNorm(fitted, new CpuOps(), batch, 1);
        double scaled = gradNorm(fitted, halves(), batch, 65536);
        double unscaled = gradNorm(fitted, halves(), batch, 1);
        String norms = "F32 %.3e, scaled %.3e, unscaled %.3e".formatted(whole, scaled, unscaled);
        assertEquals(whole, scaled, 0.02 * whole, norms);
        assertTrue(unscaled < 0.1 * whole, norms);
    }

    @Test
    void lossesFollowThoseOfF32() {
        List<Batch> batch = List.of(Batch.of(TinyRuns.examples(6)));
        List<Double> whole = new ArrayList<>();
        List<Double> half = new ArrayList<>();
        steps(new CpuOps(), (model, optimizer, step) -> {
            for (int i = 1; i <= 40; i++) whole.add(step.run(batch, i, 1e-2).loss());
        });
        steps(halves(), (model, optimizer, step) -> {
            for (int i = 1; i <= 40; i++) half.add(step.run(batch, i, 1e-2).loss());
            assertEquals(0, step.scaler().orElseThrow().skipped());
        });
        assertTrue(whole.getLast() < whole.getFirst() - 1, whole::toString);
        for (int i = 0; i < whole.size(); i++) assertEquals(whole.get(i), half.get(i), 0.01 * whole.get(i), "step " + (i + 1));
    }

    @Test
    void aDtypeThatTheModelWasNotOpenedInIsRefused() {
        try (FastLanguageModel model = TinyRuns.adapted(base, 0, new CpuOps())) {
            assertRefused(model, config("a").fp16(true),
                    "fp16 is true, but the CPU computes in f32: leave fp16 out, or choose a GPU");
            assertRefused(model, config("b").bf16(true),
                    "bf16 is true, but the CPU computes in f32: leave bf16 out, or choose a GPU");
        }
        TensorOps device = FailingOps.replacing(halves(), "onHost", args -> false);
        try (FastLanguageModel model = TinyRuns.adapted(base, 0, device)) {
            assertRefused(model, config("c").bf16(true), "bf16 asks for activations in another dtype than float16");
        }
        assertTrue(assertThrows(InputException.class, () -> config("d").fp16(true).bf16(true).build()).getMessage()
                .startsWith("fp16 and bf16 are both true"));
    }

    private static void assertRefused(FastLanguageModel model, SftConfigBuilder config, String start) {
        String message = assertThrows(InputException.class, () -> new SftTrainer(model, TinyRuns.examples(3), List.of(),
                config.build())).getMessage();
        assertTrue(message.startsWith(start), message);
    }
}
