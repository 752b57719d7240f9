package dev.gale.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.LoadOptions;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.optim.OptimArgs;
import dev.gale.peft.LoraConfig;
import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.SftConfig.EvalStrategy;
import dev.gale.train.data.Example;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Runs with every kind of optimizer, on adapters whose matrices are large enough for states of 8 bits.
class OptimizerRunsTest {
    @TempDir
    private Path folder;
    private Path base;

    @BeforeEach
    void writeBase() throws IOException {
        base = TinyRuns.base(folder.resolve("fresh"));
    }

    private FastLanguageModel adapted(TensorOps ops) {
        return FastLanguageModel.open(base, LoadOptions.defaults(), ops).getPeftModel(LoraConfig.builder().r(128).loraAlpha(8)
                .loraDropout(0.1).targetModules("all-linear").build(), 3);
    }

    private SftConfigBuilder config(String output, String optim) {
        String args = optim.equals("galore_adamw") ? "rank=8, update_proj_gap=4" : optim.equals("sgd") ? "momentum=0.9" : "";
        return SftConfig.builder().outputDir(folder.resolve(output)).optim(optim).optimArgs(OptimArgs.parse(args))
                .learningRate(optim.startsWith("lion") ? 1e-3 : 1e-2).weightDecay(0.01).maxSteps(6).saveSteps(3).loggingSteps(1)
                .perDeviceTrainBatchSize(4).maxLength(32).warmupSteps(2);
    }

    private static List<float[]> values(FastLanguageModel model) {
        List<float[]> values = new ArrayList<>();
        for (Parameter parameter : model.trainable()) values.add(model.ops().toFloats(parameter.value()));
        return values;
    }

    private List<float[]> run(SftConfig config, List<Example> eval) {
        try (FastLanguageModel model = adapted(new CpuOps())) {
            new SftTrainer(model, TinyRuns.examples(12), eval, config).train();
            return values(model);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"adamw_8bit", "paged_adamw_32bit", "lion_8bit", "adafactor", "sgd", "galore_adamw",
        "schedule_free_adamw"})
    void resumeEqualsNeverHavingStopped(String optim) throws IOException {
        List<float[]> whole = run(config("whole", optim).build(), List.of());
        List<float[]> resumed = run(config("resumed", optim).resumeFromCheckpoint(folder.resolve("whole/checkpoint-3")).build(),
                List.of());
        for (int i = 0; i < whole.size(); i++) assertArrayEquals(whole.get(i), resumed.get(i), 0f);
        assertEquals(-1, Files.mismatch(folder.resolve("whole/checkpoint-6/optimizer.safetensors"),
                folder.resolve("resumed/checkpoint-6/optimizer.safetensors")));
    }

    @Test
    void eightBitStatesAreBytesInACheckpoint() {
        run(config("run", "adamw_8bit").build(), List.of());
        try (Safetensors saved = Safetensors.open(folder.resolve("run/checkpoint-3/optimizer.safetensors"))) {
            List<String> codes = saved.names().stream().filter(name -> saved.tensor(name).dtype() == DType.U8).toList();
            assertTrue(codes.size() >= 2 * 7, codes::toString);
            assertTrue(saved.names().containsAll(codes.stream().map(name -> name.replaceFirst("\\.", "_absmax.")).toList()));
        }
    }

    /// The plan's optimizer state is that of the formula, and its peak that of a run.
    @ParameterizedTest
    @CsvSource({"adamw_torch, 8, 8.2", "adamw_8bit, 2.03, 2.5", "lion_8bit, 1.01, 1.3", "adafactor, 0.02, 0.3",
        "galore_adamw, 1, 5", "schedule_free_adamw, 8, 8.2"})
    void plansHaveTheBytesOfRuns(String optim, double least, double most) {
        SftConfig config = config("plan", optim).evalStrategy(EvalStrategy.STEPS).evalSteps(3).build();
        List<Example> examples = TinyRuns.examples(4);
        NullOps counting = new NullOps();
        MemoryPlan plan;
        try (FastLanguageModel model = adapted(counting)) {
            plan = MemoryPlan.of(counting, model, new SftTrainer(model, examples, examples, config));
        }
        double each = plan.optimizerBytes() / (double) plan.trainable();
        assertTrue(each >= least && each <= most, optim + " takes " + each);
        CpuOps cpu = new CpuOps();
        try (FastLanguageModel model = adapted(cpu)) {
            new SftTrainer(model, examples, examples, config).train();
            assertEquals(plan.reservedBytes(), cpu.memory().reservedBytes());
            assertEquals(plan.peakBytes(), cpu.memory().peakLiveBytes());
        }
    }

    /// What is evaluated, saved in checkpoints and saved at the end are the averaged values; evaluating does not disturb.
    @Test
    void scheduleFreeSavesWhatItEvaluates() {
        List<Example> examples = TinyRuns.examples(8);
        SftConfig config = config("evaluated", "schedule_free_adamw").lrSchedulerType("constant")
                .evalStrategy(EvalStrategy.STEPS).evalSteps(1).build();
        List<float[]> looked;
        double last;
        try (FastLanguageModel model = adapted(new CpuOps())) {
            SftTrainer trainer = new SftTrainer(model, TinyRuns.examples(12), examples, config);
            last = trainer.train().lastEval().orElseThrow().loss();
            assertEquals(last, trainer.evaluate().loss());
            looked = values(model);
        }
        List<float[]> plain = run(config("plain", "schedule_free_adamw").lrSchedulerType("constant").saveSteps(6).build(),
                List.of());
        for (int i = 0; i < plain.size(); i++) assertArrayEquals(plain.get(i), looked.get(i), 0f);
        for (String saved : List.of("evaluated/checkpoint-6", "evaluated")) {
            try (FastLanguageModel model = FastLanguageModel.open(base, LoadOptions.defaults(), new CpuOps())
                    .loadAdapter(folder.resolve(saved), true)) {
                assertEquals(last, new SftTrainer(model, examples, examples, config).evaluate().loss());
            }
        }
    }
}
