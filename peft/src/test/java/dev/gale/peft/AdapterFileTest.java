package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.nn.safetensors.SafetensorsWriter;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdapterFileTest {
    private static final int[] TOKENS = {3, 1, 4, 1, 5, 9, 2, 6};
    private static final String Q = "base_model.model.model.layers.0.self_attn.q_proj.";
    private static final LoraConfig EVERYTHING = LoraConfig.builder().r(3).targetModules(ModuleNames.ALL_LINEAR)
            .initLoraWeights(InitLoraWeights.RANDOM).bias(LoraConfig.Bias.ALL)
            .modulesToSave("embed_tokens", "lm_head", "norm").baseModelNameOrPath("some/base").build();

    private final TensorOps ops = Trained.ops();

    @TempDir
    Path dir;

    @AfterEach
    void close() {
        ops.close();
    }

    /// Writes an adapter for the small model, its tensors changed, and returns the message by which it is refused.
    private String refusal(Consumer<Map<String, Tensor>> change) {
        try (CausalLm model = Trained.small(true, DType.F32, ops)) {
            LoraConfig config = LoraConfig.builder().baseModelNameOrPath("some/base").build();
            try (PeftModel peft = PeftModel.inject(model, config, 1)) {
                peft.save(dir);
                Map<String, Tensor> tensors = new LinkedHashMap<>(peft.tensors());
                change.accept(tensors);
                new SafetensorsWriter(ops, null).write(dir.resolve(AdapterFile.WEIGHTS), tensors);
            }
            float[] before = Trained.logits(model, TOKENS);
            long live = ops.memory().liveBytes();
            String message = assertThrows(InputException.class, () -> PeftModel.load(model, dir, false)).getMessage();
            assertArrayEquals(before, Trained.logits(model, TOKENS));
            assertEquals(live, ops.memory().liveBytes());
            assertTrue(message.contains(dir.resolve(AdapterFile.WEIGHTS).toString()), message);
            return message;
        }
    }

    private Tensor tensor(int... shape) {
        Tensor tensor = ops.allocate("t", DType.F32, Shape.of(shape));
        ops.fill(tensor, 0.5f);
        return tensor;
    }

    private static void assertContains(String message, String part) {
        assertTrue(message.contains(part), message);
    }

    @Test
    void loadingWhatWasSavedComputesTheSame() {
        for (boolean tied : new boolean[] {false, true}) {
            float[] want;
            try (CausalLm model = Trained.small(tied, DType.F32, ops);
                 PeftModel peft = PeftModel.inject(model, EVERYTHING, 1)) {
                for (Parameter p : peft.trainableParameters()) ops.addScaled(p.value(), p.value(), 0.5f);
                want = Trained.logits(model, TOKENS);
                peft.save(dir);
            }
            try (CausalLm model = Trained.small(tied, DType.F32, ops);
                 PeftModel peft = PeftModel.load(model, dir, false)) {
                assertArrayEquals(want, Trained.logits(model, TOKENS));
                assertEquals(0, peft.trainableParameters().size());
                assertEquals(0, peft.trainableReport().trainable());
            }
            try (CausalLm model = Trained.small(tied, DType.F32, ops);
                 PeftModel peft = PeftModel.load(model, dir, true)) {
                assertEquals(28 + 14 + 2 + 5, peft.trainableParameters().size());
            }
        }
    }

    @Test
    void aMergedModelIsAPlainModelFolder() {
        for (boolean tied : new boolean[] {false, true}) {
            try (CausalLm model = Trained.small(tied, DType.F32, ops);
                 PeftModel peft = PeftModel.inject(model, EVERYTHING, 1)) {
                assertThrows(IllegalStateException.class, () -> model.save(dir, null));
                ops.fill(Trained.named(peft.trainableParameters(), "model.norm.weight").value(), 0.7f);
                ops.addScaled(model.head().value(), model.head().value(), 0.5f);
                peft.merge();
                model.save(dir, null);
                try (CausalLm plain = CausalLm.load(dir, LoadOptions.defaults(), ops)) {
                    assertArrayEquals(Trained.logits(model, TOKENS), Trained.logits(plain, TOKENS));
                }
            }
        }
    }

    @Test
    void embeddingsThatPeftSavedUnaskedAreTaken() {
        try (CausalLm model = Trained.small(true, DType.F32, ops)) {
            Tensor embedding = tensor(16, 8);
            Tensor head = tensor(16, 8);
            ops.fill(head, 0.125f);
            try (PeftModel peft = PeftModel.inject(model, LoraConfig.builder().build(), 1)) {
                peft.save(dir);
                Map<String, Tensor> tensors = new LinkedHashMap<>(peft.tensors());
                tensors.put("base_model.model.model.embed_tokens.weight", embedding);
                tensors.put("base_model.model.lm_head.weight", head);
                new SafetensorsWriter(ops, DType.BF16).write(dir.resolve(AdapterFile.WEIGHTS), tensors);
            }
            try (PeftModel peft = PeftModel.load(model, dir, true)) {
                assertArrayEquals(ops.toFloats(head), ops.toFloats(model.head().value()));
                Tensor taken = model.parameter("model.embed_tokens.weight").value();
                assertArrayEquals(ops.toFloats(embedding), ops.toFloats(taken));
                assertEquals(8, peft.trainableParameters().size());
                peft.save(dir);
            }
            try (Safetensors saved = Safetensors.open(dir.resolve(AdapterFile.WEIGHTS))) {
                assertTrue(saved.has("base_model.model.lm_head.weight"));
            }
        }
    }

    @Test
    void biasesOfOldReleasesAreFoundUnderTheirShorterName() {
        LoraConfig config = LoraConfig.builder().bias(LoraConfig.Bias.LORA_ONLY).build();
        try (CausalLm model = Trained.small(false, DType.F32, ops)) {
            try (PeftModel peft = PeftModel.inject(model, config, 1)) {
                peft.save(dir);
                Map<String, Tensor> tensors = new LinkedHashMap<>();
                peft.tensors().forEach((name, value) -> tensors.put(name.replace(".base_layer", ""), value));
                ops.fill(tensors.get(Q + "bias"), 0.375f);
                new SafetensorsWriter(ops, null).write(dir.resolve(AdapterFile.WEIGHTS), tensors);
            }
            try (PeftModel peft = PeftModel.load(model, dir, true)) {
                assertEquals(0.375f, ops.toFloats(peft.tensors().get(Q + "base_layer.bias"))[0]);
            }
        }
    }

    @Test
    void anAdapterForAnotherBaseIsRefusedWithBothShapes() {
        try (CausalLm model = Trained.small(false, DType.F32, ops)) {
            InputException refusal = assertThrows(InputException.class,
                    () -> PeftModel.load(model, Trained.adapter("llama/lora"), true));
            assertContains(refusal.getMessage(), "lora_A.weight has shape [4, 64], but this model needs [4, 8]");
            assertContains(refusal.getMessage(), "the base model it was made for, fixtures/llama");
        }
        assertContains(refusal(tensors -> tensors.put(Q + "lora_A.weight", tensor(8, 4))),
                Q + "lora_A.weight has shape [8, 4], but this model needs [8, 8]");
        assertContains(refusal(tensors -> tensors.put("base_model.model.lm_head.weight", tensor(5, 8))),
                "lm_head.weight has shape [5, 8], but this model needs [16, 8]");
    }

    /// As PEFT, which warns and leaves them as they began.
    @Test
    void modulesOfWhichTheFileHasNothingStayAsTheBaseHasThem() {
        float[] want;
        LoraConfig config = LoraConfig.builder().r(2).targetModules("q_proj", "v_proj").build();
        try (CausalLm model = Trained.small(true, DType.F32, ops); PeftModel peft = PeftModel.inject(model, config, 1)) {
            for (Parameter p : peft.trainableParameters()) ops.fill(p.value(), p.name().contains("v_proj.lora_B") ? 0f : 0.3f);
            want = Trained.logits(model, TOKENS);
            peft.save(dir);
            Map<String, Tensor> tensors = new LinkedHashMap<>(peft.tensors());
            tensors.keySet().removeIf(name -> name.contains("v_proj"));
            new SafetensorsWriter(ops, null).write(dir.resolve(AdapterFile.WEIGHTS), tensors);
        }
        try (CausalLm model = Trained.small(true, DType.F32, ops); PeftModel peft = PeftModel.load(model, dir, true)) {
            assertArrayEquals(want, Trained.logits(model, TOKENS));
            assertEquals(8, peft.trainableParameters().size());
        }
        config.toBuilder().initLoraWeights(InitLoraWeights.RANDOM).build().write(dir.resolve(AdapterFile.CONFIG));
        try (CausalLm model = Trained.small(true, DType.F32, ops)) {
            String message = assertThrows(InputException.class, () -> PeftModel.load(model, dir, true)).getMessage();
            assertContains(message, "lacks tensor");                              // it would begin with numbers of its own
        }
    }

    @Test
    void missingAndLeftoverTensorsAreRefused() {
        assertContains(refusal(tensors -> tensors.remove(Q + "lora_B.weight")),
                "lacks tensor " + Q + "lora_B.weight of shape [8, 8], which adapter_config.json asks for");
        String deeper = "base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight";
        assertContains(refusal(tensors -> tensors.put(deeper, tensor(8, 8))),
                deeper + " [8, 8] has no place in this model");
        assertContains(refusal(tensors -> tensors.put("base_model.model.model.norm.weight", tensor(8))),
                "has no place");
    }

    @Test
    void nanAndInfinityAreRefusedByPlace() {
        for (Map.Entry<Float, String> bad : Map.of(Float.NaN, "NaN", Float.NEGATIVE_INFINITY, "infinite").entrySet()) {
            String message = refusal(tensors -> {
                float[] values = new float[64];
                values[37] = bad.getKey();
                Tensor broken = tensor(8, 8);
                ops.write(broken, values);
                tensors.put(Q + "lora_B.weight", broken);
            });
            assertContains(message, "element 37 of tensor " + Q + "lora_B.weight is " + bad.getValue());
        }
    }

    @Test
    void integersAreRefused() {
        Tensor ids = ops.allocate("ids", DType.I32, Shape.of(8, 8));
        assertContains(refusal(tensors -> tensors.put(Q + "lora_A.weight", ids)),
                "holds I32 instead of floating numbers");
    }

    @Test
    void incompleteFoldersAreRefused() throws IOException {
        try (CausalLm model = Trained.small(false, DType.F32, ops)) {
            assertContains(assertThrows(InputException.class, () -> PeftModel.load(model, dir, false)).getMessage(),
                    dir.resolve("adapter_config.json") + " is missing");
            LoraConfig.builder().build().write(dir.resolve(AdapterFile.CONFIG));
            assertContains(assertThrows(InputException.class, () -> PeftModel.load(model, dir, false)).getMessage(),
                    dir.resolve("adapter_model.safetensors") + " does not exist");
            Files.writeString(dir.resolve("adapter_model.bin"), "pickle");
            assertContains(assertThrows(InputException.class, () -> PeftModel.load(model, dir, false)).getMessage(),
                    "save it again with a current PEFT");
        }
    }
}
