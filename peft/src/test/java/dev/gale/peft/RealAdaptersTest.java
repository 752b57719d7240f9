package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.CausalLm;
import dev.gale.nn.ModelConfig;
import dev.gale.nn.RopeConfig;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Adapters that other people trained. Only their files are at hand, so the bases here are shapes without values.
class RealAdaptersTest {
    private static CausalLm base(int hidden, int intermediate, int layers, int heads, int kvHeads, int headDim,
                                 int vocab, TensorOps ops) {
        return CausalLm.random(new ModelConfig("LlamaForCausalLM", hidden, intermediate, layers, heads, kvHeads,
                headDim, vocab, 128, 1e-6, Activation.SILU, false, false, true, RopeConfig.plain(10_000), 1, List.of(2),
                0, DType.BF16, 0.02), 1, DType.BF16, ops);
    }

    private static String refusal(CausalLm base, Path adapter) {
        return assertThrows(InputException.class, () -> PeftModel.load(base, adapter, false)).getMessage();
    }

    @Test
    void aQwenAdapterFitsTheShapesOfItsBase() {
        Path folder = Trained.real("adapters/qwen2.5-0.5b-instruct-lora-r8");
        LoraConfig config = LoraConfig.read(folder.resolve("adapter_config.json"));
        assertEquals(ModuleNames.of("q_proj", "v_proj"), config.targetModules());
        assertEquals(2f, config.scaleOf("model.layers.0.self_attn.q_proj"));
        try (NullOps ops = new NullOps(); CausalLm base = base(896, 4864, 24, 14, 2, 64, 151_936, ops);
             PeftModel peft = PeftModel.load(base, folder, true)) {
            assertEquals(96, peft.tensors().size());
            assertEquals(540_672, peft.trainableReport().trainable());
        }
        try (NullOps ops = new NullOps(); CausalLm base = base(896, 4864, 12, 14, 2, 64, 151_936, ops)) {
            assertTrue(refusal(base, folder).contains("has no place in this model"));
        }
    }

    @Test
    void anAdapterOfNansIsRefusedByThatWord() {
        Path folder = Trained.real("adapters/gemma-2b-text2sql-NaN");
        try (NullOps ops = new NullOps(); CausalLm base = base(2048, 16_384, 18, 8, 1, 256, 256_000, ops)) {
            String message = refusal(base, folder);
            assertTrue(message.contains("is NaN; this adapter is broken"), message);
        }
    }

    /// It was cut down to one module and five tokens. PEFT refuses it for its base, too; for a base of five tokens it warns of
    /// the modules that are missing and leaves them alone.
    @Test
    void anAdapterOfFewModulesFitsABaseOfItsTokens() {
        Path folder = Trained.real("adapters/fms-tinyllama-added-tokens");
        try (NullOps ops = new NullOps(); CausalLm base = base(64, 256, 8, 16, 16, 4, 32_000, ops)) {
            String message = refusal(base, folder);
            assertTrue(message.contains("has shape [5, 64], but this model needs [32000, 64]"), message);
        }
        try (NullOps ops = new NullOps(); CausalLm base = base(64, 256, 8, 16, 16, 4, 5, ops);
             PeftModel peft = PeftModel.load(base, folder, true)) {
            assertEquals(2 * 16, peft.trainableParameters().size());
            assertEquals(8 * 2 * (8 * 64 + 64 * 8), peft.trainableReport().trainable());
        }
    }

    @Test
    void configurationExamplesOfPeftAreRead() {
        Path folder = Trained.real("adapters/peft-config-examples");
        assertEquals(List.of("gate_proj", "up_proj", "down_proj"),
                LoraConfig.read(folder.resolve("llama-3.2-3B-rank10-target-mlp.json")).targetModules().names());
        assertEquals(8f, LoraConfig.read(folder.resolve("llama-3.2-3B-rank64-rslora.json")).scaleOf("x"));
        assertEquals(32, LoraConfig.read(folder.resolve("llama-3.2-3B-rank32.json")).r());
        assertEquals(32, LoraConfig.read(folder.resolve("llama-3.2-3B-rank32-lorafa.json")).r());
        assertTrue(LoraConfig.read(folder.resolve("llama-3.2-3B-rank32-dora.json")).useDora());
    }
}
