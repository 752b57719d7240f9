package dev.gale.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.LoadOptions;
import dev.gale.optim.ParamGroup;
import dev.gale.peft.EvaConfig;
import dev.gale.peft.InitLoraWeights;
import dev.gale.peft.LoraConfig;
import dev.gale.peft.LoraConfigBuilder;
import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.NullOps;
import dev.gale.train.data.Example;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Whole runs of adapters with other starts and forms.
class AdapterStartsTest {
    @TempDir
    private Path folder;
    private Path base;

    @BeforeEach
    void writeBase() throws IOException {
        base = TinyRuns.base(folder.resolve("fresh"));
    }

    private SftConfigBuilder config(String output) {
        return SftConfig.builder().outputDir(folder.resolve(output)).learningRate(1e-2).maxSteps(4).saveSteps(2)
                .perDeviceTrainBatchSize(4).maxLength(32).loggingSteps(1);
    }

    private static LoraConfigBuilder lora(String init) {
        return LoraConfig.builder().r(4).loraAlpha(8).targetModules("all-linear")
                .initLoraWeights(InitLoraWeights.of(init).orElseThrow())
                .evaConfig(new EvaConfig(1.5, 0.5, true, -100, false, true));
    }

    private FastLanguageModel adapted(LoraConfig lora, List<Example> examples, SftConfig config) {
        return FastLanguageModel.open(base, LoadOptions.defaults(), new CpuOps())
                .getPeftModel(lora, new SftTrainer.Examples(examples, examples.size(), List.of(), 0), config);
    }

    private static List<float[]> values(FastLanguageModel model) {
        List<float[]> values = new ArrayList<>();
        for (Parameter parameter : model.trainable()) values.add(model.ops().toFloats(parameter.value()));
        return values;
    }

    private double loss(Path adapter, List<Example> examples) {
        try (FastLanguageModel model = FastLanguageModel.open(base, LoadOptions.defaults(), new CpuOps())) {
            if (adapter != null) model.loadAdapter(adapter, true);
            else model.getPeftModel(LoraConfig.builder().build());
            return new SftTrainer(model, examples, examples, config("x").build()).evaluate().loss();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"pissa", "pissa_niter_2", "olora", "loftq", "orthogonal", "eva", "dora"})
    void aRunLearnsResumesAndItsResultLoads(String name) {
        List<Example> examples = TinyRuns.examples(16);
        LoraConfig lora = name.equals("dora") ? lora("gaussian").useDora(true).loraDropout(0.1).build() : lora(name).build();
        List<float[]> whole;
        double trained;
        try (FastLanguageModel model = adapted(lora, examples, config("whole").build())) {
            SftTrainer trainer = new SftTrainer(model, examples, examples, config("whole").build());
            trainer.train();
            whole = values(model);
            trained = trainer.evaluate().loss();
        }
        SftConfig again = config("resumed").resumeFromCheckpoint(folder.resolve("whole/checkpoint-2")).build();
        try (FastLanguageModel model = adapted(lora, examples, again)) {
            new SftTrainer(model, examples, examples, again).train();
            List<float[]> resumed = values(model);
            for (int i = 0; i < whole.size(); i++) assertArrayEquals(whole.get(i), resumed.get(i), 0f);
        }
        assertTrue(trained < loss(null, examples), "nothing was learned");
        assertEquals(trained, loss(folder.resolve("whole"), examples), 1e-4);
    }

    @Test
    void aConvertedResultIsPlainLora() {
        List<Example> examples = TinyRuns.examples(16);
        SftConfig config = config("plain").pissaConvert(true).build();
        double trained;
        try (FastLanguageModel model = adapted(lora("pissa").build(), examples, config)) {
            SftTrainer trainer = new SftTrainer(model, examples, examples, config);
            trainer.train();
            trained = trainer.evaluate().loss();
        }
        LoraConfig written = LoraConfig.read(folder.resolve("plain/adapter_config.json"));
        assertEquals(InitLoraWeights.KAIMING, written.initLoraWeights());
        assertEquals(8, written.r());
        assertEquals(trained, loss(folder.resolve("plain"), examples), 1e-4);
    }

    @Test
    void loraPlusHasFourGroups() {
        try (NullOps ops = new NullOps()) {
            List<Parameter> parameters = new ArrayList<>();
            for (String name : new String[] {"a.lora_A.weight", "a.lora_B.weight", "a.lora_B.bias", "a.lora_magnitude_vector",
                "model.embed_tokens.lora_embedding_A", "model.embed_tokens.lora_embedding_B", "model.norm.weight",
                "lm_head.weight"}) {
                boolean vector = name.matches(".*(bias|vector|norm.weight)");
                Tensor value = ops.allocate(name, DType.F32, vector ? Shape.of(3) : Shape.of(3, 2));
                parameters.add(new Parameter(name, value, true));
            }
            SftConfig config = config("x").learningRate(1e-4).weightDecay(0.1).loraplusLrRatio(16).build();
            List<ParamGroup> groups = LoraPlus.groups(parameters, config, 16);
            assertEquals(List.of(
                    "[a.lora_A.weight, lm_head.weight] 0.1 1.0",
                    "[model.embed_tokens.lora_embedding_A, model.embed_tokens.lora_embedding_B] 0.1 0.01",
                    "[a.lora_B.weight, a.lora_magnitude_vector] 0.1 16.0",
                    "[a.lora_B.bias, model.norm.weight] 0.0 16.0"),
                    groups.stream().map(g -> g.parameters().stream().map(Parameter::name).toList() + " " + g.weightDecay() + " "
                            + Math.round(g.lrMultiplier() * 1e6) / 1e6).toList());
        }
    }

    @Test
    void aRunOfLoraPlusMovesBFaster() {
        List<Example> examples = TinyRuns.examples(16);
        List<List<float[]>> runs = new ArrayList<>();
        for (double ratio : new double[] {1, 16}) {
            SftConfig config = config("ratio" + ratio).maxSteps(1).learningRate(1e-4).loraplusLrRatio(ratio).build();
            try (FastLanguageModel model = adapted(lora("gaussian").build(), examples, config)) {
                new SftTrainer(model, examples, List.of(), config).train();
                runs.add(values(model));
            }
        }
        for (int i = 0; i < runs.get(0).size(); i++) {                 // A and B in turn; B was 0, and A has no gradient yet
            float[] once = runs.get(0).get(i);
            float[] fast = runs.get(1).get(i);
            for (int at = 0; at < once.length; at++) {
                assertEquals(i % 2 == 0 ? once[at] : 16 * once[at], fast[at], 1e-5 * Math.abs(16 * once[at]));
            }
        }
    }
}
