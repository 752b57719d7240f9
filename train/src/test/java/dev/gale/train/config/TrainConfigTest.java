package dev.gale.train.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.RopeScaling;
import dev.gale.peft.EvaConfig;
import dev.gale.peft.InitLoraWeights;
import dev.gale.peft.LoftqConfig;
import dev.gale.peft.LoraConfig;
import dev.gale.peft.ModuleNames;
import dev.gale.peft.TokenIndices;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.train.SftConfig;
import dev.gale.train.data.DatasetConfig;
import dev.gale.train.data.RowFormat;
import dev.gale.train.data.read.SampleBy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainConfigTest {
    private static final String MODEL = "model_name_or_path: models/base\n";
    private static final String DATASET = "dataset: {path: rows.jsonl}\n";

    private static TrainConfig parse(String text, String... overrides) {
        String dataset = text.contains("dataset:") ? "" : text.endsWith("\n") ? DATASET : "\n" + DATASET;
        return TrainConfig.parse(MODEL + text + dataset, "run.yaml", List.of(overrides));
    }

    private static void assertRefused(String sentence, String text, String... overrides) {
        InputException refusal = assertThrows(InputException.class, () -> parse(text, overrides));
        assertTrue(refusal.getMessage().startsWith(sentence), refusal.getMessage());
    }

    @Test
    void whatIsNotGivenHasTheDefaults() {
        TrainConfig config = parse("");
        assertEquals(SftConfig.builder().build(), config.training());
        assertEquals(LoraConfig.builder().build(), config.lora());
        assertEquals(Path.of("models/base"), config.modelNameOrPath());
        assertEquals(Optional.empty(), config.torchDtype());
        assertEquals(config, parse("lora:\nlearning_rate:\nseed: null\n"));
    }

    @Test
    void everyKindOfValueIsRead() {
        TrainConfig config = parse("""
                torch_dtype: bfloat16
                output_dir: out/run
                learning_rate: 2e-4            # a word for YAML 1.1
                max_grad_norm: 1
                num_train_epochs: 0.5
                max_steps: 1_000
                eval_strategy: steps
                save_strategy: no
                packing: true
                data_seed: 7
                completion_only_loss: false
                lr_scheduler_type: cosine
                lr_scheduler_kwargs: {num_cycles: 0.25, name: x}
                lora:
                  r: 16
                  lora_alpha: 32
                  target_modules: [q_proj, v_proj]
                  bias: lora_only
                  init_lora_weights: gaussian
                  layers_to_transform: 3
                  rank_pattern: {k_proj: 4}
                """);
        SftConfig training = SftConfig.builder().outputDir(Path.of("out/run")).learningRate(2e-4).numTrainEpochs(0.5)
                .maxSteps(1000).evalStrategy(SftConfig.EvalStrategy.STEPS).saveStrategy(SftConfig.SaveStrategy.NO)
                .packing(true).dataSeed(7).completionOnlyLoss(false).lrSchedulerType("cosine")
                .lrSchedulerKwargs(Map.of("num_cycles", 0.25, "name", "x")).build();
        assertEquals(training, config.training());
        LoraConfig lora = LoraConfig.builder().r(16).loraAlpha(32).targetModules("q_proj", "v_proj")
                .bias(LoraConfig.Bias.LORA_ONLY).initLoraWeights(InitLoraWeights.GAUSSIAN)
                .layersToTransform(List.of(3)).rankPattern(Map.of("k_proj", 4)).build();
        assertEquals(lora, config.lora());
        assertEquals(Optional.of(DType.BF16), config.torchDtype());
    }

    @Test
    void variantsOfLoraHaveTheKeysOfPeft() {
        TrainConfig config = parse(DATASET + """
                loraplus_lr_ratio: 16
                loraplus_lr_embedding: 1e-5
                pissa_convert: true
                lora:
                  use_dora: true
                  init_lora_weights: pissa_niter_16
                """);
        assertEquals(SftConfig.builder().loraplusLrRatio(16).loraplusLrEmbedding(1e-5).pissaConvert(true).build(),
                config.training());
        assertEquals(LoraConfig.builder().useDora(true).initLoraWeights(new InitLoraWeights(InitLoraWeights.Method.PISSA, 16))
                .build(), config.lora());
        assertEquals(LoraConfig.builder().initLoraWeights(InitLoraWeights.LOFTQ).loftqConfig(new LoftqConfig(4, 5)).build(),
                parse(DATASET + "lora: {init_lora_weights: loftq, loftq_config: {loftq_iter: 5}}\n").lora());
        assertEquals(new EvaConfig(1.5, 0.99, true, -100, true, true),
                parse(DATASET + "lora:\n  init_lora_weights: eva\n  eva_config: {rho: 1.5, whiten: true}\n").lora()
                .evaConfig());
        assertTrue(parse(DATASET + "lora: {lora_bias: true}\n").lora().loraBias());
        LoraConfig parts = parse(DATASET + "lora:\n  target_parameters: [experts.down_proj]\n"
                + "  trainable_token_indices: [5, 7]\n").lora();
        assertEquals(List.of("experts.down_proj"), parts.targetParameters());
        assertEquals(TokenIndices.of(5, 7), parts.trainableTokenIndices());
        assertEquals(new TokenIndices(List.of(), Map.of("lm_head", List.of(5))),
                parse(DATASET + "lora: {trainable_token_indices: {lm_head: [5]}}\n").lora().trainableTokenIndices());
        assertRefused("run.yaml, line 3: trainable_token_indices must be a list of token ids, found 'x'",
                "lora:\n  trainable_token_indices: [x]\n");
        assertRefused("run.yaml, line 3: init_lora_weights must be true, false, gaussian, orthogonal, pissa,",
                "lora:\n  init_lora_weights: pisa\n");
        assertRefused(
                "run.yaml, line 4: unknown key 'lora.loftq_config.loftq_iters', did you mean 'lora.loftq_config.loftq_iter'?",
                "lora:\n  loftq_config:\n    loftq_iters: 2\n");
        assertRefused("run.yaml, line 4: LoRA: loftq_iter must be at least 1", "lora:\n  loftq_config:\n    loftq_iter: 0\n");
        assertRefused("run.yaml, line 4: LoRA: rho of eva_config must be at least 1", "lora:\n  eva_config:\n    rho: 0.5\n");
        assertRefused("run.yaml, line 2: LoRA: lora_bias and use_dora exclude each other",
                "lora: {lora_bias: true, use_dora: true}\n");
        assertRefused("run.yaml, line 2: loraplus_lr_ratio must be above 0", "loraplus_lr_ratio: 0\n");
    }

    @Test
    void ropeScalingExtendsAContext() {
        assertEquals(Optional.of(new RopeScaling(Map.of("rope_type", "linear", "factor", 8.0))),
                parse("rope_scaling: {type: linear, factor: 8.0}\n").ropeScaling());
        for (String[] wrong : new String[][] {{"rope_scaling: {factor: 8.0}\n", ": rope_scaling must name a type"},
            {"from_scratch: true\nrope_scaling: {type: linear, factor: 8}\n", ": from_scratch has no context to extend"}}) {
            String refusal = assertThrows(InputException.class, () -> parse(wrong[0])).getMessage();
            assertTrue(refusal.startsWith("run.yaml, line ") && refusal.contains(wrong[1]), refusal);
        }
    }

    @Test
    void theDatasetIsASection() {
        DatasetConfig dataset = parse("""
                dataset:
                  path: data/train.jsonl
                  format: prompt-completion
                  test_size: 0.1
                  max_samples: 50
                """, "dataset.prompt_field=question").dataset();
        assertEquals(Path.of("data/train.jsonl"), dataset.path());
        assertEquals(Optional.of(RowFormat.PROMPT_COMPLETION), dataset.format());
        assertEquals(0.1, dataset.testSize());
        assertEquals(50, dataset.maxSamples());
        assertEquals("question", dataset.promptField());
        DatasetConfig folder = parse("""
                dataset:
                  path: hub
                  name: main
                  data_files: {train: [a.jsonl, b/*.jsonl], test: c.jsonl}
                  split: train[:10%]
                  eval_split: test
                  columns: {prompt: question, completion: answer}
                  where: length(output) > 20 AND lang = 'en'
                  sample_by: paragraph
                """).dataset();
        assertEquals(Map.of("train", List.of("a.jsonl", "b/*.jsonl"), "test", List.of("c.jsonl")),
                folder.dataFiles().patterns());
        assertEquals(Optional.of("length(output) > 20 AND lang = 'en'"), folder.reading().where());
        assertEquals("test", folder.evalReading().orElseThrow().split());
        assertEquals(Map.of("prompt", "question", "completion", "answer"), folder.columns());
        assertEquals(SampleBy.PARAGRAPH, folder.sampleBy());
        assertEquals(Map.of("train", List.of("x.csv")), parse("dataset: {path: a, data_files: x.csv}").dataset()
                .dataFiles().patterns());
        assertEquals(Map.of("dev", List.of("y")), parse("dataset: {path: a, data_files: [{split: dev, path: y}]}").dataset()
                .dataFiles().patterns());
        assertRefused("run.yaml, line 2: data_files must be a file, a list", "dataset: {path: a, data_files: 7}");
        assertRefused("run.yaml, line 2: unknown name in dataset.columns 'promt'; did you mean 'prompt'?",
                "dataset: {path: a, columns: {promt: b}}");
        assertRefused("run.yaml, line 2: dataset.eval_split and dataset.test_size",
                "dataset: {path: a, eval_split: test, test_size: 1}");
        assertRefused("run.yaml, line 4: dataset.max_samples must be at least 0",
                "dataset:\n  path: a\n  max_samples: -1\n");
        assertRefused("run.yaml, line 3: unknown key 'dataset.pth', did you mean 'dataset.path'?",
                "dataset:\n  pth: a\n");
        assertRefused("run.yaml, line 2: format must be one of alpaca,", "dataset: {path: a, format: alpacca}");
        assertRefused("run.yaml, line 2: dataset.test_size must be a share", "dataset: {path: a, test_size: 1.5}");
        assertRefused("run.yaml, line 2: path must be text", "dataset: {path: [a]}");
        assertRefused("run.yaml, line 2: max_samples must be a whole number", "dataset: {path: a, max_samples: 1.5}");
    }

    @Test
    void targetModulesMayBeAPattern() {
        assertEquals(ModuleNames.ALL_LINEAR, parse("lora: {target_modules: all-linear}").lora().targetModules());
    }

    @Test
    void oldNamesAreUnderstood() {
        SftConfig training = parse("warmup_ratio: 0.1\nmax_seq_length: 77\nevaluation_strategy: epoch\n").training();
        assertEquals(10, training.warmupStepsOf(100));
        assertEquals(77, training.maxLength());
        assertEquals(SftConfig.EvalStrategy.EPOCH, training.evalStrategy());
        assertRefused("run.yaml, line 2: warmup_ratio must be a share", "warmup_ratio: 1.5");
        assertRefused("run.yaml, line 3: max_seq_length and the key in run.yaml, line 2 are one option",
                "max_length: 5\nmax_seq_length: 6\n");
    }

    @Test
    void overridesWinOverTheFile() {
        TrainConfig config = parse("learning_rate: 1\nwarmup_steps: 5\nlora:\n  r: 2\n  lora_alpha: 3\n",
                "learning_rate=2e-3", "lora.r=64", "lora.target_modules=[k_proj, o_proj]", "warmup_ratio=0.5", "seed=");
        assertEquals(2e-3, config.training().learningRate());
        assertEquals(0.5, config.training().warmupSteps());
        assertEquals(42, config.training().seed());
        assertEquals(LoraConfig.builder().r(64).loraAlpha(3).targetModules("k_proj", "o_proj").build(), config.lora());
        assertRefused("--set lora.rr: unknown key 'lora.rr', did you mean 'lora.r'?", "", "lora.rr=3");
        assertRefused("--set learning_rate: learning_rate must be a number, found 'fast'", "", "learning_rate=fast");
        assertRefused("--set seed: write key=value", "", "seed");
    }

    @Test
    void resumingMayMeanTheRunsOwnFolder() {
        assertEquals(Optional.of(Path.of("out")), resume("output_dir: out\nresume_from_checkpoint: true\n"));
        assertEquals(Optional.of(Path.of("trainer_output")), resume("resume_from_checkpoint: true\n"));
        assertEquals(Optional.of(Path.of("out/checkpoint-3")), resume("resume_from_checkpoint: out/checkpoint-3\n"));
        assertEquals(Optional.empty(), resume("resume_from_checkpoint: false\n"));
    }

    private static Optional<Path> resume(String text) {
        return parse(text).training().resumeFromCheckpoint();
    }

    @Test
    void mistypedKeysAreNamedWithTheNearestRightOne() {
        assertRefused("run.yaml, line 3: unknown key 'learning_rat', did you mean 'learning_rate'?",
                "seed: 1\nlearning_rat: 1\n");
        assertRefused("run.yaml, line 3: unknown key 'lora.lora_alfa', did you mean 'lora.lora_alpha'?",
                "lora:\n  lora_alfa: 1\n");
        assertRefused("run.yaml, line 2: unknown key 'xyzzy', the known ones are model_name_or_path, ", "xyzzy: 1\n");
        assertRefused("run.yaml, line 2: unknown key 'lora.task_type'", "lora: {task_type: CAUSAL_LM}\n");
    }

    @Test
    void wrongTypesNameKeyValueAndWhatIsExpected() {
        assertRefused("run.yaml, line 2: learning_rate must be a number, found 'fast'", "learning_rate: fast\n");
        assertRefused("run.yaml, line 2: learning_rate must be a number, found true", "learning_rate: true\n");
        assertRefused("run.yaml, line 2: max_steps must be a whole number, found 1.5", "max_steps: 1.5\n");
        assertRefused("run.yaml, line 2: max_steps must be a whole number, found 3000000000",
                "max_steps: 3000000000\n");
        assertRefused("run.yaml, line 2: packing must be true or false, found 'yes'", "packing: yes\n");
        assertRefused("run.yaml, line 2: output_dir must be text, found a list", "output_dir: [a]\n");
        assertRefused("run.yaml, line 2: eval_strategy must be one of no, steps, epoch, found 'step'",
                "eval_strategy: step\n");
        assertRefused("run.yaml, line 2: lora must be a section of keys, found 8", "lora: 8\n");
        assertRefused("run.yaml, line 3: rank_pattern.k_proj must be a whole number, found 'x'",
                "lora:\n  rank_pattern: {k_proj: x}\n");
    }

    @Test
    void valuesOutOfRangeNameTheirLine() {
        assertRefused("run.yaml, line 3: learning_rate must be above 0", "seed: 1\nlearning_rate: -1\n");
        assertRefused("run.yaml, line 3: LoRA: r must be at least 1", "lora:\n  r: 0\n");
    }

    @Test
    void keysGivenTwiceAreRefused() {
        assertRefused("run.yaml, line 4: key 'seed' is given twice, first in run.yaml, line 2",
                "seed: 1\npacking: true\nseed: 2\n");
        assertRefused("run.yaml, line 4: key 'r' is given twice", "lora:\n  r: 1\n  r: 2\n");
    }

    @Test
    void whatIsNotAConfigurationIsRefused() {
        assertRefused("run.yaml, line 3: this is not YAML", "seed: [1, 2\n");
        assertRefused("run.yaml, line 3: aliases", "seed: &s 1\ndata_seed: *s\n");
        assertRefused("run.yaml, line 3: a second document", "---\nseed: 2\n");
        assertRefused("run.yaml: dataset.path is missing: set it to a file or folder of rows to train on",
                "dataset: {test_size: 1}\n");
        assertEquals("run.yaml must hold lines of the form 'key: value'", assertThrows(InputException.class,
                () -> TrainConfig.parse("- a\n", "run.yaml", List.of())).getMessage());
        assertEquals("run.yaml: model_name_or_path is missing: set it to the folder of a Hugging Face model",
                assertThrows(InputException.class, () -> TrainConfig.parse("", "run.yaml", List.of())).getMessage());
    }

    @Test
    void adaptersAndFullFinetuningContradict() {
        assertRefused("run.yaml, line 3: full_finetuning trains no adapters", "full_finetuning: true\nlora: {r: 4}\n");
        assertRefused("run.yaml, line 3: from_scratch trains no adapters", "from_scratch: true\nlora: {r: 4}\n");
    }

    @Test
    void examplesAreValid() throws Exception {
        try (Stream<Path> files = Files.list(Path.of(System.getProperty("gale.root", ".."), "examples"))) {
            List<Path> examples = files.filter(file -> file.toString().endsWith(".yaml")).toList();
            assertFalse(examples.isEmpty());
            for (Path example : examples) TrainConfig.load(example, List.of());
        }
    }

    @Test
    void filesAreRead(@TempDir Path folder) throws Exception {
        Path file = Files.writeString(folder.resolve("run.yaml"), MODEL + DATASET);
        assertEquals(Path.of("models/base"), TrainConfig.load(file, List.of()).modelNameOrPath());
        assertThrows(InputException.class, () -> TrainConfig.load(folder.resolve("absent.yaml"), List.of()));
    }
}
