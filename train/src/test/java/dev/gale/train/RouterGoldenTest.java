package dev.gale.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.optim.Optimizer;
import dev.gale.peft.PeftModel;
import dev.gale.tensor.DType;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.cli.CommandRun;
import dev.gale.train.data.Batch;
import dev.gale.train.data.Example;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Steps with the router's loss against Transformers, PEFT and torch.optim.AdamW, which had the same batch.
class RouterGoldenTest {
    private static final int WIDTH = 24;
    private static final double LR = 1e-2;

    private static List<Example> examples(String family) {
        try (Safetensors file = Safetensors.open(CommandRun.fixture(family + "/lora-router").resolve("expected.safetensors"))) {
            int[] ids = file.readInts("input_ids");
            int[] mask = file.readInts("attention_mask");
            int[] labels = file.readInts("labels");
            List<Example> examples = new ArrayList<>();
            for (int from = 0; from < ids.length; from += WIDTH) {
                int length = Arrays.stream(mask, from, from + WIDTH).sum();
                boolean[] trained = new boolean[length];
                for (int i = 0; i < length; i++) trained[i] = labels[from + i] >= 0;
                examples.add(new Example(Arrays.copyOfRange(ids, from, from + length), trained));
            }
            return examples;
        }
    }

    private static JsonNode expected(String family) throws IOException {
        return new ObjectMapper().readTree(CommandRun.fixture(family + "/lora").resolveSibling("expected.json").toFile())
                .get("lora-router");
    }

    /// Loss and gradient norm of five steps.
    private static double[][] steps(String family, TensorOps ops) throws IOException {
        SftConfig config = SftConfig.builder().weightDecay(0.01).maxGradNorm(1).outputRouterLogits(true)
                .routerAuxLossCoef(expected(family).get("router_aux_loss_coef").asDouble()).build();
        try (ops; CausalLm model = CausalLm.load(CommandRun.fixture(family), LoadOptions.defaults(), ops);
             PeftModel peft = PeftModel.load(model, CommandRun.fixture(family + "/lora-router"), true);
             Optimizer optimizer = SftTrainer.optimizer(ops, peft.trainableParameters(), config, 5);
             TrainStep step = new TrainStep(ops, model, optimizer, config)) {
            double[][] results = new double[5][];
            for (int i = 0; i < 5; i++) {
                TrainStep.Result result = step.run(List.of(Batch.of(examples(family))), i + 1, LR);
                results[i] = new double[] {result.loss(), result.gradNorm(), result.auxLoss().orElseThrow()};
            }
            return results;
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"mixtral", "qwen2-moe", "qwen3-moe"})
    void fiveStepsEqualTransformers(String family) throws IOException {
        double[][] got = steps(family, new CpuOps());
        assertEquals(expected(family).get("aux_loss").asDouble(), got[0][2], 1e-5);
        JsonNode want = expected(family).get("adamw_lr1e-2_wd0.01_clip1.0_steps_[loss,grad_norm]");
        for (int i = 0; i < 5; i++) {
            assertEquals(want.get(i).get(0).asDouble(), got[i][0], 1e-4);
            assertEquals(want.get(i).get(1).asDouble(), got[i][1], 1e-4);
        }
    }

    /// With activations in F16 the router's gradient is scaled as the others are.
    @Test
    void activationsInF16StayClose() throws IOException {
        double[][] want = steps("mixtral", new CpuOps());
        double[][] got = steps("mixtral", FailingOps.replacing(new ReferenceOps(), "activationType", args -> DType.F16));
        for (int i = 0; i < 5; i++) for (int j = 0; j < 3; j++) assertEquals(want[i][j], got[i][j], 0.02 * want[i][j]);
    }
}
