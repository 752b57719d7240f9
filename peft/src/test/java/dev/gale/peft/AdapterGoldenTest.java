package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.optim.AdamW;
import dev.gale.optim.GradClip;
import dev.gale.optim.ParamGroups;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.TensorAssert;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Adapters that PEFT wrote, and what Transformers, PEFT and torch.optim.AdamW computed with them.
class AdapterGoldenTest {
    private static final int WIDTH = 24;
    private static final double TOLERANCE = 1e-4;
    private static final double LR = 1e-2;
    private static final double EPS = 1e-8;
    private static final Pattern EXPERT = Pattern.compile(".*\\.experts\\.(\\d+)\\.([^.]*)\\.lora_([AB])\\..*");

    private final TensorOps ops = create();

    TensorOps create() {
        return Trained.ops();
    }

    @AfterEach
    void close() {
        ops.close();
    }

    static List<String> all() {
        return List.of("llama/lora", "llama/rslora", "llama/bias", "llama/partial", "llama/pissa", "llama/olora",
                "llama/dora", "llama/lora-bias", "llama/embedding", "llama/tokens", "qwen2/tokens", "gemma2/tokens",
                "granite/tokens", "qwen3/tokens-apart", "mixtral/fused", "qwen2-moe/fused", "qwen3-moe/fused", "deepseek/fused",
                "mixtral/expert-bias", "qwen3-moe/expert-ranks",
                "llama3-rope/lora",
                "llama-linear/lora", "llama-yarn/lora", "llama-dynamic/lora", "mistral/lora", "qwen2/lora", "qwen3/lora",
                "gemma/lora", "gemma2/lora", "gemma3/lora", "gemma3-vision/lora", "mistral3-vision/lora", "phi/lora",
                "phi-norms/lora", "phi3/lora", "smollm3/lora", "granite/lora",
                "mixtral/lora", "qwen2-moe/lora", "qwen3-moe/lora", "deepseek/lora", "deepseek-yarn/lora",
                "mixtral/lora-router", "qwen2-moe/lora-router", "qwen3-moe/lora-router", "shared:mixtral/lora",
                "shared:mistral/lora", "shared:qwen2/lora", "shared:qwen3/lora", "shared:gemma/lora", "shared:gemma2/lora",
                "shared:phi3/lora");
    }

    static List<String> merged() {
        return all().stream().filter(name -> !name.matches(".*/(rslora|bias|partial|lora-bias|expert-bias)"))
                .filter(name -> !name.equals("qwen3/tokens-apart")).toList();       // PEFT merges both into the one weight
    }

    /// Model, adapter and its goldens.
    private record Golden(CausalLm model, PeftModel peft, Safetensors expected, Trained.Batch batch)
            implements AutoCloseable {
        @Override
        public void close() {
            expected.close();
            peft.close();
            model.close();
        }
    }

    private Golden open(String name) {
        String base = name.substring(0, name.indexOf('/'));
        CausalLm model = CausalLm.load(Trained.base(base), LoadOptions.defaults().withMaxSeqLen(64), ops);
        Safetensors expected = Safetensors.open(Trained.adapter(name).resolve("expected.safetensors"));
        PeftModel peft = PeftModel.load(model, Trained.adapter(name), true);
        try (Safetensors inputs = Safetensors.open(Trained.inputs(name).resolve("expected.safetensors"))) {
            return new Golden(model, peft, expected, Trained.Batch.of(inputs, inputs.readInts("labels")));
        }
    }

    private AdamW adamW(Golden golden) {
        return new AdamW(ops, ParamGroups.single(golden.peft.trainableParameters(), 0.01), AdamW.Settings.DEFAULT);
    }

    private static JsonNode numbers(String name) throws IOException {
        String[] parts = name.split("/");
        return new ObjectMapper().readTree(Trained.adapter(parts[0]).resolve("expected.json").toFile()).get(parts[1]);
    }

    /// Sum of the losses of the batch, the router's among them where the goldens have it.
    private static float lossSum(Golden golden, JsonNode numbers) {
        if (!numbers.has("aux_loss")) return Trained.lossSum(golden.model, golden.batch, 0);
        return Trained.routedLossSum(golden.model, golden.batch, numbers.get("router_aux_loss_coef").asDouble());
    }

    /// The file's name of a parameter, with PEFT's adapter name in it.
    private static String golden(String prefix, Parameter parameter) {
        return prefix + "base_model.model." + parameter.name().replaceFirst("\\.(weight|bias)$", ".default.$1")
                .replaceFirst("(lora_embedding_[AB])$", "$1.default")
                .replaceFirst("magnitude_vector$", "magnitude_vector.default.weight")
                .replaceFirst("tokens_delta$", "tokens_delta.default");
    }

    /// The same of an adapter for Transformers 5, where the experts of a layer are one module.
    private static String golden(Golden golden, String prefix, Parameter parameter) {
        String name = golden(prefix, parameter);
        List<String> targets = golden.peft.config().targetParameters();
        if (targets.isEmpty()) return name;
        boolean both = targets.stream().anyMatch(target -> target.endsWith("down_proj"))
                && targets.stream().anyMatch(target -> target.endsWith("gate_up_proj"));
        return name.replace(".block_sparse_moe.", ".mlp.")
                .replaceFirst("\\.experts\\.\\d+\\.(w2|down_proj)\\.", ".experts.")
                .replaceFirst("\\.experts\\.\\d+\\.[^.]*\\.", both ? ".experts.base_layer." : ".experts.");
    }

    /// An expert's part of what PEFT has for all: A is `[E * R, in]`, B `[out, R * E]` with gate above up.
    private static float[] ofExpert(Golden golden, String name, Parameter parameter) {
        float[] all = golden.expected.readFloats(name);
        Matcher matcher = EXPERT.matcher(parameter.name());
        assertTrue(matcher.matches());
        int expert = Integer.parseInt(matcher.group(1));
        int size = (int) parameter.value().size();
        if (matcher.group(3).equals("A")) return Arrays.copyOfRange(all, expert * size, (expert + 1) * size);
        int experts = golden.model.config().variant().mixture().numExperts();
        int from = matcher.group(2).matches("w3|up_proj") ? size : 0;
        float[] part = new float[size];
        for (int i = 0; i < size; i++) part[i] = all[(from + i) * experts + expert];
        return part;
    }

    /// A golden of a parameter, in its layout: PEFT has an embedding's A transposed.
    private static float[] values(Golden golden, String prefix, Parameter parameter) {
        String name = golden(golden, prefix, parameter);
        boolean fused = !golden.peft.config().targetParameters().isEmpty();
        if (fused && EXPERT.matcher(parameter.name()).matches()) return ofExpert(golden, name, parameter);
        float[] values = golden.expected.readFloats(name);
        if (!parameter.name().endsWith("lora_embedding_A")) return values;
        int rows = parameter.value().rows();
        int cols = parameter.value().cols();
        float[] transposed = new float[values.length];
        for (int i = 0; i < values.length; i++) transposed[i % rows * cols + i / rows] = values[i];
        return transposed;
    }

    private static void assertLogits(Golden golden, String tensor) {
        float[] want = golden.expected.readFloats(tensor);
        int[][] sequences = golden.batch.sequences();
        float[] got = Trained.logits(golden.model, sequences);
        int vocab = golden.model.config().vocabSize();
        int row = 0;
        for (int s = 0; s < sequences.length; s++) {
            int length = sequences[s].length;
            TensorAssert.assertClose("logits of sequence " + s,
                    Arrays.copyOfRange(want, s * WIDTH * vocab, (s * WIDTH + length) * vocab),
                    Arrays.copyOfRange(got, row * vocab, (row + length) * vocab), TOLERANCE);
            row += length;
        }
        assertEquals(row * vocab, got.length);
    }

    @ParameterizedTest
    @MethodSource("all")
    void logitsEqualPeft(String name) {
        try (Golden golden = open(name)) {
            assertLogits(golden, "logits");
        }
    }

    @ParameterizedTest
    @MethodSource("all")
    void everyGradientEqualsPeft(String name) throws IOException {
        try (Golden golden = open(name)) {
            float loss = lossSum(golden, numbers(name)) / golden.batch.tokens();
            assertEquals(numbers(name).get("loss").asDouble(), loss, TOLERANCE);
            List<Parameter> trainable = golden.peft.trainableParameters();
            Set<String> names = trainable.stream().map(p -> golden(golden, "grad.", p)).collect(Collectors.toSet());
            assertEquals(names,
                    golden.expected.names().stream().filter(n -> n.startsWith("grad.")).collect(Collectors.toSet()));
            for (Parameter parameter : trainable) {
                float[] want = values(golden, "grad.", parameter);
                float[] got = ops.toFloats(parameter.grad(ops));
                for (int i = 0; i < got.length; i++) got[i] /= golden.batch.tokens();
                double error = Trained.norm(Trained.minus(want, got));
                assertTrue(error <= TOLERANCE * Trained.norm(want), parameter.name() + ": " + error);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("all")
    void fiveStepsOfAdamWEqualTorch(String name) throws IOException {
        try (Golden golden = open(name); GradClip clip = new GradClip(ops); AdamW adamW = adamW(golden)) {
            JsonNode steps = numbers(name).get("adamw_lr1e-2_wd0.01_clip1.0_steps_[loss,grad_norm]");
            assertEquals(5, steps.size());
            for (JsonNode step : steps) {
                adamW.zeroGrad();
                double loss = lossSum(golden, numbers(name)) / golden.batch.tokens();
                adamW.step(LR, clip.factor(adamW.parameters(), golden.batch.tokens(), 1.0));
                assertEquals(step.get(0).asDouble(), loss, TOLERANCE);
                assertEquals(step.get(1).asDouble(), clip.norm(), TOLERANCE);
            }
            for (Parameter parameter : golden.peft.trainableParameters()) {
                float[] first = values(golden, "grad.", parameter);
                TensorAssert.assertClose(parameter.name(), values(golden, "after5.", parameter),
                        ops.toFloats(parameter.value()), bounds(first, steps.get(0).get(1).asDouble()));
            }
        }
    }

    /// `TOLERANCE`, plus what the rounding of the first gradient does to an element: the first step of AdamW is
    /// `lr g / (|g| + eps)`, whose slope `lr eps / (|g| + eps)^2` is steep where a gradient is about as small as eps.
    /// There PyTorch does not repeat its own result on another processor. A gradient is a sum in F32, its rounding
    /// half an ulp of the tensor's norm.
    private static double[] bounds(float[] gradient, double globalNorm) {
        double clip = Math.min(1, 1 / globalNorm);
        double rounding = clip * Trained.norm(gradient) * 0x1p-24;
        double[] bounds = new double[gradient.length];
        for (int i = 0; i < bounds.length; i++) {
            double g = clip * Math.abs(gradient[i]) + EPS;
            bounds[i] = TOLERANCE + LR * EPS / (g * g) * rounding;
        }
        return bounds;
    }

    @ParameterizedTest
    @MethodSource("merged")
    void mergedLogitsEqualPeft(String name) {
        try (Golden golden = open(name)) {
            for (Parameter parameter : golden.peft.trainableParameters()) {          // PEFT merged after the five steps
                ops.write(parameter.value(), values(golden, "after5.", parameter));
            }
            golden.peft.merge();
            assertLogits(golden, "merged_logits");
        }
    }

    @ParameterizedTest
    @MethodSource("all")
    void savedFilesHaveTheTensorsOfPeft(String name, @TempDir Path dir) {
        try (Golden golden = open(name)) {
            golden.peft.save(dir);
        }
        try (Safetensors want = Safetensors.open(Trained.adapter(name).resolve(AdapterFile.WEIGHTS));
             Safetensors got = Safetensors.open(dir.resolve(AdapterFile.WEIGHTS))) {
            assertEquals(new HashSet<>(want.names()), new HashSet<>(got.names()));
            assertEquals(want.metadata(), got.metadata());
            for (String tensor : want.names()) {
                assertEquals(want.shape(tensor), got.shape(tensor), tensor);
                assertEquals(want.dtype(tensor), got.dtype(tensor), tensor);
                TensorAssert.assertEqual(tensor, want.readFloats(tensor), got.readFloats(tensor));
            }
        }
        LoraConfig want = LoraConfig.read(Trained.adapter(name).resolve(AdapterFile.CONFIG));
        assertEquals(want, LoraConfig.read(dir.resolve(AdapterFile.CONFIG)));
    }
}
