package dev.gale.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.LoadOptions;
import dev.gale.optim.Optimizer;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.SftConfig.EvalStrategy;
import dev.gale.train.SftConfig.SaveStrategy;
import dev.gale.train.checkpoint.CheckpointStore;
import dev.gale.train.data.Batch;
import dev.gale.train.data.Dataset;
import dev.gale.train.data.Example;
import dev.gale.train.metric.MetricSink;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SftTrainerTest {
    @TempDir
    private Path folder;
    private Path base;

    @BeforeEach
    void writeBase() throws IOException {
        base = TinyRuns.base(folder.resolve("fresh"));
    }

    private SftConfigBuilder config(String output) {
        return SftConfig.builder().outputDir(folder.resolve(output)).learningRate(1e-2).numTrainEpochs(2)
                .perDeviceTrainBatchSize(2).gradientAccumulationSteps(2).maxLength(32).loggingSteps(1).saveSteps(3)
                .warmupSteps(2);
    }

    private List<float[]> trainAdapter(SftConfig config, List<Example> examples) {
        try (FastLanguageModel model = TinyRuns.adapted(base, 0, new CpuOps())) {
            new SftTrainer(model, examples, List.of(), config).train();
            return values(model);
        }
    }

    private static List<float[]> values(FastLanguageModel model) {
        List<float[]> values = new ArrayList<>();
        for (Parameter parameter : model.trainable()) values.add(model.ops().toFloats(parameter.value()));
        return values;
    }

    @Test
    void splitIntoMicroBatchesAndPacksGivesTheSameUpdate() {
        List<Example> examples = TinyRuns.examples(8);
        SftConfigBuilder common = config("a").maxSteps(1).warmupSteps(0).saveStrategy(SaveStrategy.NO).overwriteOutputDir(true);
        List<float[]> whole = trainAdapter(common.perDeviceTrainBatchSize(8).gradientAccumulationSteps(1).build(), examples);
        List<float[]> split = trainAdapter(common.perDeviceTrainBatchSize(1).gradientAccumulationSteps(8).build(), examples);
        List<float[]> packed = trainAdapter(common.perDeviceTrainBatchSize(8).gradientAccumulationSteps(1).packing(true)
                .build(), examples);
        for (int i = 0; i < whole.size(); i++) {
            assertArrayEquals(whole.get(i), split.get(i), 2e-5f);
            assertArrayEquals(whole.get(i), packed.get(i), 2e-5f);
        }
    }

    @Test
    void resumeEqualsNeverHavingStoppedBitForBit() throws IOException {
        List<Example> examples = TinyRuns.examples(20);
        SftConfig config = config("whole").loggingSteps(2).build();
        List<float[]> uninterrupted;
        try (FastLanguageModel model = TinyRuns.adapted(base, 0.2, new CpuOps())) {
            new SftTrainer(model, examples, List.of(), config).train();
            uninterrupted = values(model);
        }
        try (FastLanguageModel model = TinyRuns.adapted(base, 0.2, new CpuOps())) {
            SftConfig resumed = config("resumed").loggingSteps(2)
                    .resumeFromCheckpoint(folder.resolve("whole/checkpoint-3")).build();
            new SftTrainer(model, examples, List.of(), resumed).train();
            List<float[]> again = values(model);
            for (int i = 0; i < again.size(); i++) assertArrayEquals(uninterrupted.get(i), again.get(i), 0f);
        }
        assertEquals(losses("whole"), losses("resumed"));
        assertEquals(-1, Files.mismatch(folder.resolve("whole/checkpoint-9/optimizer.safetensors"),
                folder.resolve("resumed/checkpoint-9/optimizer.safetensors")));
    }

    /// Losses of the history by step, those a resume took over included.
    private List<String> losses(String run) throws IOException {
        List<String> losses = new ArrayList<>();
        JsonNode state = new ObjectMapper().readTree(Files.readAllBytes(folder.resolve(run).resolve("trainer_state.json")));
        for (JsonNode entry : state.get("log_history")) {
            if (entry.has("loss")) losses.add(entry.get("step") + ": " + entry.get("loss") + " " + entry.get("grad_norm"));
        }
        return losses;
    }

    @Test
    void trainingLowersTheLossOfEveryWeightToo() {
        List<Example> examples = TinyRuns.examples(12);
        try (FastLanguageModel model = FastLanguageModel.open(base, LoadOptions.defaults().withTrainable(true), new CpuOps())) {
            SftTrainer trainer = new SftTrainer(model, examples, examples, config("full").numTrainEpochs(15)
                    .evalStrategy(EvalStrategy.EPOCH).saveStrategy(SaveStrategy.BEST).loadBestModelAtEnd(true).saveTotalLimit(2)
                    .build());
            double before = trainer.evaluate().loss();
            trainer.train();
            double after = trainer.evaluate().loss();
            assertTrue(after < before - 1, before + " -> " + after);
        }
        try (FastLanguageModel saved = FastLanguageModel.open(folder.resolve("full"), LoadOptions.defaults(), new CpuOps())) {
            assertEquals(300, saved.model().config().vocabSize());
        }
    }

    @Test
    void planHasTheBytesOfTheRun() {
        List<Example> examples = TinyRuns.examples(9);
        for (Checkpointing checkpointing : Checkpointing.values()) {
            SftConfig config = config("plan" + checkpointing).gradientCheckpointing(checkpointing)
                    .perDeviceTrainBatchSize(1).build();
            NullOps counting = new NullOps();
            MemoryPlan plan;
            try (FastLanguageModel model = TinyRuns.adapted(base, 0.1, counting)) {
                plan = MemoryPlan.of(counting, model, new SftTrainer(model, examples, List.of(), config));
            }
            CpuOps cpu = new CpuOps();
            try (FastLanguageModel model = TinyRuns.adapted(base, 0.1, cpu)) {
                new SftTrainer(model, examples, List.of(), config).train();
                assertEquals(plan.reservedBytes(), cpu.memory().reservedBytes());
                assertEquals(plan.peakBytes(), cpu.memory().peakLiveBytes());
            }
        }
    }

    @Test
    void aRehearsalChangesNothing() {
        Batch batch = Batch.of(TinyRuns.examples(4));
        List<List<float[]>> results = new ArrayList<>();
        for (boolean rehearsed : new boolean[] {false, true}) {
            SftConfig config = config("rehearsal").build();
            try (FastLanguageModel model = TinyRuns.adapted(base, 0.2, new CpuOps());
                 Optimizer optimizer = SftTrainer.optimizer(model.ops(), model.trainable(), config, 3);
                 TrainStep step = new TrainStep(model.ops(), model.model(), optimizer, config)) {
                if (rehearsed) step.rehearse(Batch.of(TinyRuns.examples(9)));
                for (int i = 1; i <= 3; i++) step.run(List.of(batch), i, 1e-2);
                results.add(values(model));
            }
        }
        for (int i = 0; i < results.getFirst().size(); i++) {
            assertArrayEquals(results.getFirst().get(i), results.getLast().get(i), 0f);
        }
    }

    /// A plan on operations that keep memory for each size of batch covers every size.
    @Test
    void aPlanHasEverySizeOfBatch() {
        List<Integer> seen = new ArrayList<>();
        TensorOps grouping = FailingOps.replacing(new NullOps(), "batchRows", args -> {
            seen.add(Math.ceilDiv((int) args[0], 16) * 16);
            return seen.getLast();
        });
        List<Example> examples = TinyRuns.examples(40);
        SftConfig config = config("sizes").perDeviceTrainBatchSize(1).gradientAccumulationSteps(1).build();
        try (FastLanguageModel model = TinyRuns.adapted(base, 0, grouping)) {
            SftTrainer trainer = new SftTrainer(model, examples, List.of(), config);
            assertEquals(List.of(16, 32),
                    trainer.sizes().stream().map(b -> Math.ceilDiv(b.tokens(), 16) * 16).sorted().toList());
            seen.clear();
            MemoryPlan.of(grouping, model, trainer);
            assertTrue(seen.containsAll(List.of(16, 32)), seen::toString);
        }
        try (FastLanguageModel model = TinyRuns.adapted(base, 0, new NullOps())) {
            assertEquals(List.of(), new SftTrainer(model, examples, List.of(), config).sizes());
        }
    }

    @Test
    void anotherRunsFolderIsNotOverwritten() {
        List<Example> examples = TinyRuns.examples(12);
        trainAdapter(config("run").build(), examples);
        InputException refused = assertThrows(InputException.class, () -> trainAdapter(config("run").build(), examples));
        assertTrue(refused.getMessage().contains("--resume"), refused.getMessage());
    }

    @Test
    void resumingWithOtherDataIsRefused() {
        trainAdapter(config("run").build(), TinyRuns.examples(12));
        SftConfig resumed = config("run").resumeFromCheckpoint(folder.resolve("run")).build();
        assertThrows(InputException.class, () -> trainAdapter(resumed, TinyRuns.examples(13)));
    }

    @Test
    void checkpointsBeyondTheLimitGo() {
        trainAdapter(config("run").saveSteps(1).saveTotalLimit(2).build(), TinyRuns.examples(12));
        List<Path> left = new CheckpointStore(folder.resolve("run")).list();
        assertEquals(List.of("checkpoint-5", "checkpoint-6"), left.stream().map(p -> p.getFileName().toString()).toList());
    }

    @Test
    void dropoutDependsOnTheSeed() {
        List<Example> examples = TinyRuns.examples(6);
        List<List<float[]>> results = new ArrayList<>();
        for (long seed : new long[] {1, 1, 2}) {
            try (FastLanguageModel model = TinyRuns.adapted(base, 0.5, new CpuOps())) {
                new SftTrainer(model, examples, List.of(), config("seed").overwriteOutputDir(true).seed(seed).dataSeed(9)
                        .build()).train();
                results.add(values(model));
            }
        }
        assertArrayEquals(results.get(0).getFirst(), results.get(1).getFirst(), 0f);
        assertNotEquals(results.get(0).getFirst()[0], results.get(2).getFirst()[0]);
    }

    @Test
    void rowsWithoutATokenToLearnAreCounted() throws IOException {
        Path rows = Files.writeString(folder.resolve("rows.jsonl"), """
                {"prompt": "a", "completion": " b"}
                {"prompt": "%s", "completion": " b"}
                {"prompt": "a", "completion": " c"}
                """.formatted("too long ".repeat(40)));
        SftConfig config = config("notes").maxSteps(1).saveStrategy(SaveStrategy.NO).build();
        List<String> notes = new ArrayList<>();
        MetricSink sink = new MetricSink() {
            @Override
            public void note(String sentence) {
                notes.add(sentence);
            }
        };
        try (FastLanguageModel model = TinyRuns.adapted(base, 0, new CpuOps())) {
            new SftTrainer(model, Dataset.load(rows), config).observe(steps -> sink).train();
            Example prompt = new Example(new int[3], new boolean[3]);
            SftConfig again = config("again").maxSteps(1).saveStrategy(SaveStrategy.NO).build();
            new SftTrainer(model, TinyRuns.examples(2), List.of(prompt), again).observe(steps -> sink).train();
        }
        assertEquals(List.of("1 of 3 examples have nothing to learn within max_length (32) and are left out",
                "1 of 1 evaluation examples have nothing to learn within max_length (32) and are left out"), notes);
    }

    @Test
    void nothingTrainableIsSaidBeforeTheRun() {
        try (FastLanguageModel model = FastLanguageModel.open(base, LoadOptions.defaults(), new CpuOps())) {
            assertThrows(InputException.class, () -> new SftTrainer(model, TinyRuns.examples(3), List.of(),
                    config("x").build()));
        }
    }
}
