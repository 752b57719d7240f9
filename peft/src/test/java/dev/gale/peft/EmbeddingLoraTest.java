package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.CausalLm;
import dev.gale.nn.safetensors.SafetensorsWriter;
import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.TensorAssert;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EmbeddingLoraTest {
    private static final int[] TOKENS = {3, 1, 4, 1, 5, 9, 2, 6};
    private static final Trained.Batch BATCH =
            new Trained.Batch(new int[][] {TOKENS}, new int[] {1, 4, 1, 5, 9, 2, 6, -100});
    private static final LoraConfig PLAIN = LoraConfig.builder().r(3).loraAlpha(6).targetModules("embed_tokens", "q_proj")
            .build();
    private static final LoraConfig RANDOM = PLAIN.toBuilder().initLoraWeights(InitLoraWeights.RANDOM).build();

    private final TensorOps ops = Trained.ops();

    @TempDir
    Path dir;

    @AfterEach
    void close() {
        ops.close();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void itChangesNothingAtTheStartAndIsGoneInTheEnd(boolean tied) {
        try (CausalLm model = Trained.small(tied, DType.BF16, ops)) {
            float[] before = Trained.logits(model, TOKENS);
            long live = ops.memory().liveBytes();
            Parameter head = model.head();
            try (PeftModel peft = PeftModel.inject(model, PLAIN, 1)) {
                assertArrayEquals(before, Trained.logits(model, TOKENS));
                assertEquals(6, peft.trainableParameters().size());
                assertThrows(IllegalStateException.class, () -> model.save(dir, null));
                Trained.lossSum(model, BATCH, 0, Checkpointing.LAYER);
                Parameter a = Trained.named(peft.trainableParameters(), "model.embed_tokens.lora_embedding_A");
                assertTrue(Trained.norm(ops.toFloats(a.grad(ops))) > 0);
            }
            assertArrayEquals(before, Trained.logits(model, TOKENS));
            assertEquals(live, ops.memory().liveBytes());
            assertSame(head, model.head());
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void mergedDisabledSavedAndRestoredItComputesTheSame(boolean tied) {
        float[] want;
        try (CausalLm model = Trained.small(tied, DType.F32, ops)) {
            float[] before = Trained.logits(model, TOKENS);
            try (PeftModel peft = PeftModel.inject(model, RANDOM, 1)) {
                want = Trained.logits(model, TOKENS);
                assertTrue(Trained.norm(Trained.minus(want, before)) > 0.1);
                try (PeftModel.Scope scope = peft.disableAdapter()) {
                    assertArrayEquals(before, Trained.logits(model, TOKENS));
                }
                peft.merge();
                TensorAssert.assertClose("merged", want, Trained.logits(model, TOKENS), 1e-4);
                model.save(dir.resolve("merged"), null);
                peft.unmerge();
                peft.save(dir);
                for (Parameter parameter : peft.trainableParameters()) ops.fill(parameter.value(), 0.1f);
                peft.restore(dir);
                assertArrayEquals(want, Trained.logits(model, TOKENS));
            }
        }
        try (CausalLm model = Trained.small(tied, DType.F32, ops); PeftModel peft = PeftModel.load(model, dir, true)) {
            assertArrayEquals(want, Trained.logits(model, TOKENS));
            assertEquals(6, peft.trainableParameters().size());
            assertEquals(List.of(3, 16), shape(peft.tensors().get("base_model.model.model.embed_tokens.lora_embedding_A")));
        }
    }

    private static List<Integer> shape(Tensor tensor) {
        return List.of(tensor.rows(), tensor.cols());
    }

    @Test
    void besideAPissaItBecomesPlainToo() {
        LoraConfig config = PLAIN.toBuilder().initLoraWeights(InitLoraWeights.PISSA).build();
        float[] want;
        try (CausalLm model = Trained.small(false, DType.F32, ops); PeftModel peft = PeftModel.inject(model, config, 1)) {
            for (Parameter parameter : peft.trainableParameters()) {
                if (parameter.name().endsWith("lora_embedding_A")) ops.fill(parameter.value(), 0.2f);
            }
            want = Trained.logits(model, TOKENS);
            peft.saveAsLora(dir);
        }
        try (CausalLm model = Trained.small(false, DType.F32, ops); PeftModel peft = PeftModel.load(model, dir, false)) {
            TensorAssert.assertClose("logits", want, Trained.logits(model, TOKENS), 1e-4);
        }
    }

    /// PEFT saves the embedding that it wraps, unless it is told not to.
    @Test
    void theWrappedEmbeddingOfPeftIsTaken() {
        String name = "base_model.model.model.embed_tokens.base_layer.weight";
        float[] want;
        try (CausalLm model = Trained.small(true, DType.F32, ops)) {
            try (PeftModel peft = PeftModel.inject(model, RANDOM, 1)) {
                want = Trained.logits(model, TOKENS);
                peft.save(dir);
                Map<String, Tensor> tensors = new LinkedHashMap<>(peft.tensors());
                tensors.put(name, model.parameter("model.embed_tokens.weight").value());
                new SafetensorsWriter(ops, null).write(dir.resolve(AdapterFile.WEIGHTS), tensors);
            }
            try (PeftModel peft = PeftModel.load(model, dir, true)) {
                assertArrayEquals(want, Trained.logits(model, TOKENS));
                assertTrue(peft.tensors().containsKey(name));
                assertEquals(6, peft.trainableParameters().size());
            }
        }
    }
}
