package dev.gale.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.AuxLoss;
import dev.gale.nn.HfConfig;
import dev.gale.nn.LoadOptions;
import dev.gale.optim.Optimizer;
import dev.gale.peft.LoraConfig;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.SftConfig.EvalStrategy;
import dev.gale.train.SftConfig.SaveStrategy;
import dev.gale.train.cli.CommandRun;
import dev.gale.train.data.Batch;
import dev.gale.train.data.Batches;
import dev.gale.train.data.Example;
import dev.gale.train.demo.Demo;
import dev.gale.train.metric.EvalMetrics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Runs of a small mixture of experts with the router's loss.
class RouterLossRunTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<Example> EXAMPLES = TinyRuns.examples(12);

    @TempDir
    private Path folder;
    private Path base;

    @BeforeEach
    void writeBase() throws IOException {
        Path fresh = folder.resolve("fresh");
        Demo.writeTokenizer(fresh, 50, 1, TinyRuns.VOCAB);
        Files.writeString(fresh.resolve("config.json"), """
                {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_size": 32, \
                "intermediate_size": 48,
                 "moe_intermediate_size": 16, "num_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": true, "head_dim": 8,
                 "num_hidden_layers": 3, "mlp_only_layers": [1], "num_attention_heads": 4, "num_key_value_heads": 2,
                 "vocab_size": 300, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
                 "hidden_act": "silu", "tie_word_embeddings": true, "initializer_range": 0.1, "eos_token_id": 0,
                 "torch_dtype": "float32"}""");
        base = folder.resolve("base");
        try (FastLanguageModel model = FastLanguageModel.fromScratch(fresh, 5, new CpuOps())) {
            model.savePretrained(base);
        }
    }

    private SftConfigBuilder config(String output) {
        return SftConfig.builder().outputDir(folder.resolve(output)).learningRate(1e-2).numTrainEpochs(2)
                .perDeviceTrainBatchSize(2)
                .gradientAccumulationSteps(2).maxLength(32).loggingSteps(1).saveStrategy(SaveStrategy.NO)
                .overwriteOutputDir(true);
    }

    private FastLanguageModel adapted(TensorOps ops) {
        return FastLanguageModel.open(base, LoadOptions.defaults(), ops).getPeftModel(LoraConfig.builder().r(4).loraAlpha(8)
                .targetModules("q_proj", "v_proj", "gate").build(), 3);
    }

    private static List<float[]> values(FastLanguageModel model) {
        List<float[]> values = new ArrayList<>();
        for (Parameter parameter : model.trainable()) values.add(model.ops().toFloats(parameter.value()));
        return values;
    }

    /// Result of the first of two steps, and the adapter after both.
    private record Steps(TrainStep.Result first, List<float[]> adapter) {}

    private Steps steps(SftConfig config, TensorOps ops, List<Batch> microBatches) {
        try (FastLanguageModel model = adapted(ops);
             Optimizer optimizer = SftTrainer.optimizer(ops, model.trainable(), config, 3);
             TrainStep step = new TrainStep(ops, model.model(), optimizer, config)) {
            TrainStep.Result first = step.run(microBatches, 1, 1e-2);
            step.run(microBatches, 2, 1e-2);
            return new Steps(first, values(model));
        }
    }

    private static void assertSame(List<float[]> want, List<float[]> got, float bound) {
        for (int i = 0; i < want.size(); i++) assertArrayEquals(want.get(i), got.get(i), bound);
    }

    @Test
    void theLossIsTheSumOfBoth() {
        List<Batch> batch = List.of(Batch.of(EXAMPLES));
        Steps plain = steps(config("a").build(), new CpuOps(), batch);
        Steps measured = steps(config("a").outputRouterLogits(true).routerAuxLossCoef(0).build(), new CpuOps(), batch);
        Steps both = steps(config("a").routerAuxLossCoef(0.5).build(), new CpuOps(), batch);
        assertTrue(plain.first.auxLoss().isEmpty());
        double aux = both.first.auxLoss().orElseThrow();
        assertTrue(aux > 2, "k choices of a token, not shared alike: " + aux);
        assertEquals(aux, measured.first.auxLoss().orElseThrow());
        assertEquals(plain.first.loss(), measured.first.loss());
        assertEquals(plain.first.loss() + 0.5 * aux, both.first.loss(), 1e-12);
        assertSame(plain.adapter, measured.adapter, 0f);
        assertNotEquals(plain.first.gradNorm(), both.first.gradNorm());
    }

    @Test
    void checkpointsChangeNothingAndPartsOfMlpsNothingButRounding() {
        List<Batch> batches = List.of(Batch.of(EXAMPLES.subList(0, 7)), Batch.of(EXAMPLES.subList(7, 12)));
        SftConfigBuilder config = config("a").routerAuxLossCoef(0.5);
        Steps kept = steps(config.gradientCheckpointing(Checkpointing.NONE).build(), new CpuOps(), batches);
        for (Checkpointing checkpointing : List.of(Checkpointing.LAYER, Checkpointing.SELECTIVE)) {
            Steps again = steps(config.gradientCheckpointing(checkpointing).build(), new CpuOps(), batches);
            assertEquals(kept.first, again.first);
            assertSame(kept.adapter, again.adapter, 0f);
            Steps tiled = steps(config.tiledMlpNumShards(3).build(), new CpuOps(), batches);
            assertEquals(kept.first.auxLoss().orElseThrow(), tiled.first.auxLoss().orElseThrow(), 1e-6);
            assertSame(kept.adapter, tiled.adapter, 2e-5f);
            config.tiledMlpNumShards(1);
        }
    }

    @Test
    void rowsThatADeviceAddsAreNoTokens() {
        List<Batch> batches = List.of(Batch.of(EXAMPLES.subList(0, 7)), Batch.of(EXAMPLES.subList(7, 12)));
        SftConfig config = config("a").routerAuxLossCoef(0.5).build();
        TensorOps grouping = FailingOps.replacing(new CpuOps(), "batchRows", args -> Math.ceilDiv((int) args[0], 64) * 64);
        Steps exact = steps(config, new CpuOps(), batches);
        Steps padded = steps(config, grouping, batches);
        assertEquals(exact.first.auxLoss().orElseThrow(), padded.first.auxLoss().orElseThrow(), 1e-6);
        assertSame(exact.adapter, padded.adapter, 2e-5f);
    }

    /// Micro-batches that choose alike may be split and joined; others give the mean over their tokens.
    @Test
    void microBatchesGiveTheirMean() {
        SftConfig config = config("a").routerAuxLossCoef(0.5).build();
        List<Example> alike = Collections.nCopies(6, EXAMPLES.getFirst());
        Steps whole = steps(config, new CpuOps(), List.of(Batch.of(alike)));
        Steps split = steps(config, new CpuOps(), List.of(Batch.of(alike.subList(0, 1)), Batch.of(alike.subList(1, 6))));
        assertEquals(whole.first.loss(), split.first.loss(), 1e-5);
        assertEquals(whole.first.auxLoss().orElseThrow(), split.first.auxLoss().orElseThrow(), 1e-6);
        assertSame(whole.adapter, split.adapter, 2e-5f);

        List<Batch> parts = IntStream.range(0, 4).mapToObj(i -> Batch.of(EXAMPLES.subList(3 * i, 3 * i + 3))).toList();
        double sum = 0;
        int tokens = 0;
        for (Batch part : parts) {
            sum += part.tokens() * steps(config, new CpuOps(), List.of(part)).first.auxLoss().orElseThrow();
            tokens += part.tokens();
        }
        assertEquals(sum / tokens, steps(config, new CpuOps(), parts).first.auxLoss().orElseThrow(), 1e-6);
    }

    /// Of one expert that all tokens prefer little is left.
    @Test
    void trainingWithItSharesTheTokensOut() {
        double[] after = new double[2];
        for (int i = 0; i < 2; i++) {
            SftConfig config = config("a").outputRouterLogits(true).routerAuxLossCoef(i).numTrainEpochs(12).build();
            try (FastLanguageModel model = adapted(new CpuOps())) {
                SftTrainer trainer = new SftTrainer(model, EXAMPLES, EXAMPLES, config);
                double before = trainer.evaluate().auxLoss().orElseThrow();
                trainer.train();
                after[i] = trainer.evaluate().auxLoss().orElseThrow();
                if (i == 1) assertTrue(after[1] < before, before + " -> " + after[1]);
            }
        }
        assertTrue(after[1] < after[0], Arrays.toString(after));
    }

    @Test
    void anEvaluationIncludesItWhereTrainingDoes() {
        try (FastLanguageModel model = adapted(new CpuOps())) {
            Iterable<Batch> batches = Batches.inOrder(EXAMPLES, 8);
            EvalMetrics alone = new Evaluator(model.ops(), model.model()).evaluate(batches);
            EvalMetrics both = new SftTrainer(model, EXAMPLES, EXAMPLES, config("a").routerAuxLossCoef(0.5).build()).evaluate();
            assertTrue(alone.auxLoss().isEmpty());
            assertEquals(alone.loss(), both.crossEntropy(), 1e-6);
            assertEquals(both.crossEntropy() + 0.5 * both.auxLoss().orElseThrow(), both.loss(), 1e-12);
            assertEquals(Math.exp(both.crossEntropy()), both.perplexity());
            EvalMetrics without = new SftTrainer(model, EXAMPLES, EXAMPLES, config("a").build()).evaluate();
            assertTrue(without.auxLoss().isEmpty());
        }
    }

    @Test
    void resumingGivesTheSameBitsAndTheSameLog() throws IOException {
        SftConfigBuilder config = config("whole").routerAuxLossCoef(0.5).saveStrategy(SaveStrategy.STEPS)
                .saveSteps(3).loggingSteps(2);
        List<List<float[]>> adapters = new ArrayList<>();
        for (String run : List.of("whole", "resumed")) {
            if (!run.equals("whole")) config.outputDir(folder.resolve(run))
                    .resumeFromCheckpoint(folder.resolve("whole/checkpoint-3"));
            try (FastLanguageModel model = adapted(new CpuOps())) {
                new SftTrainer(model, EXAMPLES, List.of(), config.build()).train();
                adapters.add(values(model));
            }
        }
        assertSame(adapters.getFirst(), adapters.getLast(), 0f);
        assertEquals(history("whole"), history("resumed"));
    }

    /// Losses of the logged steps.
    private List<String> history(String run) throws IOException {
        List<String> losses = new ArrayList<>();
        for (JsonNode entry : JSON.readTree(folder.resolve(run).resolve("trainer_state.json").toFile()).get("log_history")) {
            if (entry.has("loss")) losses.add(entry.get("step") + ": " + entry.get("loss") + " " + entry.get("aux_loss")
                    .numberValue());
        }
        return losses;
    }

    @Test
    void planHasTheBytesOfTheRun() {
        SftConfig config = config("plan").routerAuxLossCoef(0.5).evalStrategy(EvalStrategy.EPOCH).build();
        NullOps counting = new NullOps();
        MemoryPlan plan;
        try (FastLanguageModel model = adapted(counting)) {
            plan = MemoryPlan.of(counting, model, new SftTrainer(model, EXAMPLES, EXAMPLES, config));
        }
        assertTrue(counting.counts().containsKey("balanceForward"));
        CpuOps cpu = new CpuOps();
        try (FastLanguageModel model = adapted(cpu)) {
            new SftTrainer(model, EXAMPLES, EXAMPLES, config).train();
            assertEquals(plan.reservedBytes(), cpu.memory().reservedBytes());
            assertEquals(plan.peakBytes(), cpu.memory().peakLiveBytes());
        }
    }

    private Optional<AuxLoss> asked(SftConfigBuilder options, boolean enabled) throws IOException {
        ObjectNode json = (ObjectNode) JSON.readTree(base.resolve("config.json").toFile());
        json.put("output_router_logits", enabled).put("router_aux_loss_coef", 0.02);
        Path other = Files.createDirectories(folder.resolve("asked"));
        Files.writeString(other.resolve("config.json"), json.toString());
        return options.build().auxLoss(HfConfig.read(other));
    }

    @Test
    void theRunDecidesAndElseTheModel() throws IOException {
        assertEquals(Optional.of(new AuxLoss(true, 0.02)), asked(config("a"), true));
        assertEquals(Optional.empty(), asked(config("a"), false));
        assertEquals(Optional.of(new AuxLoss(true, 0.02)), asked(config("a").outputRouterLogits(true), false));
        assertEquals(Optional.empty(), asked(config("a").outputRouterLogits(false), true));
        assertEquals(Optional.of(new AuxLoss(true, 0.3)), asked(config("a").routerAuxLossCoef(0.3), false));
        assertEquals(Optional.empty(), asked(config("a").routerAuxLossCoef(0), true));
        assertEquals(Optional.of(new AuxLoss(true, 0)), asked(config("a").routerAuxLossCoef(0).outputRouterLogits(true), true));
        assertThrows(InputException.class, () -> config("a").routerAuxLossCoef(-1).build());
        assertThrows(InputException.class, () -> config("a").routerAuxLossCoef(Double.NaN).build());
    }

    private Path run(Path model, String more) throws IOException {
        Files.writeString(folder.resolve("data.jsonl"), "{\"prompt\": \"Once\", \"completion\": \" upon a time\"}\n".repeat(6));
        return Files.writeString(folder.resolve("run.yaml"), """
                model_name_or_path: %s
                output_dir: %s/out
                max_steps: 2
                logging_steps: 1
                eval_strategy: steps
                dataset: {path: %s/data.jsonl, test_size: 2}
                lora: {r: 2, target_modules: [q_proj, v_proj]}
                %s
                """.formatted(model, folder, folder, more));
    }

    @Test
    void aRunLogsIt() throws IOException {
        CommandRun trained = CommandRun.of("train", run(base, "router_aux_loss_coef: 0.05"));
        assertEquals(0, trained.exit(), trained.err());
        int steps = 0;
        int evaluations = 0;
        for (String line : Files.readAllLines(folder.resolve("out/metrics.jsonl"))) {
            JsonNode entry = JSON.readTree(line);
            if (entry.has("loss")) {
                steps++;
                assertTrue(entry.get("loss").asDouble() > 0.05 * entry.get("aux_loss").asDouble());
                assertTrue(entry.get("aux_loss").asDouble() > 1);
            }
            if (!entry.has("eval_loss")) continue;
            evaluations++;
            double crossEntropy = Math.log(entry.get("eval_perplexity").asDouble());
            assertEquals(crossEntropy + 0.05 * entry.get("eval_aux_loss").asDouble(), entry.get("eval_loss").asDouble(), 1e-9);
        }
        assertEquals(List.of(2, 2), List.of(steps, evaluations));
    }

    @Test
    void aModelWithoutARouterRefusesTheKeys() throws IOException {
        Path dir = Files.createDirectories(folder.resolve("llama"));
        for (String name : List.of("config.json", "model.safetensors")) {
            Files.write(dir.resolve(name), Files.readAllBytes(CommandRun.fixture("llama").resolve(name)));
        }
        Demo.writeTokenizer(dir, 50, 1, 300);
        for (String key : List.of("output_router_logits: true", "router_aux_loss_coef: 0.05")) {
            CommandRun refused = CommandRun.of("train", run(dir, key));
            assertEquals(2, refused.exit(), refused.err());
            assertEquals("gale: %s is for a router's load-balancing loss, which LlamaForCausalLM does not have: leave it out"
                    .formatted(key.substring(0, key.indexOf(':'))), refused.err().strip());
            assertFalse(Files.exists(folder.resolve("out")));
        }
        assertThrows(InputException.class,
                () -> config("a").outputRouterLogits(true).build().auxLoss(HfConfig.read(CommandRun.fixture("deepseek"))));
    }
}
