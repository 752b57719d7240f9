package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Models and adapters with more tokens than the base had.
class AddedTokensTest {
    private static final int[] TOKENS = {3, 1, 4, 1, 5};
    private static final LoraConfig WHOLE = LoraConfig.builder().r(2).targetModules("q_proj")
            .initLoraWeights(InitLoraWeights.RANDOM).modulesToSave("embed_tokens", "lm_head").build();

    @TempDir Path folder;
    private final TensorOps ops = Trained.ops();

    @AfterEach
    void close() {
        ops.close();
    }

    @ParameterizedTest
    @CsvSource({"true, F32", "false, F32", "true, BF16", "false, F16"})
    void newRowsAreTheMeanAndOldOnesStay(boolean tied, DType dtype) {
        try (CausalLm model = Trained.small(tied, dtype, ops)) {
            float[] table = ops.toFloats(model.head().value());
            float[] logits = Trained.logits(model, TOKENS);
            model.resizeEmbedding(19);
            assertEquals(19, model.config().vocabSize());
            assertEquals(Shape.of(19, 8), model.head().value().shape());
            assertEquals(Shape.of(19, 8), model.parameter("model.embed_tokens.weight").value().shape());
            float[] grown = ops.toFloats(model.head().value());
            assertArrayEquals(table, Arrays.copyOf(grown, table.length));
            for (int row = 16; row < 19; row++) {
                for (int col = 0; col < 8; col++) {
                    double mean = 0;
                    for (int old = 0; old < 16; old++) mean += table[old * 8 + col] / 16.0;
                    assertEquals(mean, grown[row * 8 + col], dtype == DType.F32 ? 1e-7 : 2e-3);
                }
            }
            float[] after = Trained.logits(model, TOKENS);
            for (int i = 0; i < TOKENS.length; i++) {
                assertArrayEquals(Arrays.copyOfRange(logits, 16 * i, 16 * i + 16),
                        Arrays.copyOfRange(after, 19 * i, 19 * i + 16));
            }
        }
    }

    @Test
    void aResizedModelIsSavedWithItsNumberOfTokens() {
        try (CausalLm model = Trained.small(true, DType.F32, ops)) {
            model.resizeEmbedding(20);
            model.save(folder, DType.F32);
            try (CausalLm saved = CausalLm.load(folder, LoadOptions.defaults(), ops)) {
                assertEquals(20, saved.config().vocabSize());
                assertArrayEquals(Trained.logits(model, TOKENS), Trained.logits(saved, TOKENS));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"true", "false"})
    void anAdapterBringsTheRowsOfItsTokens(boolean tied) {
        float[] expected;
        int[] tokens = {3, 17, 4, 16, 5};
        try (CausalLm model = Trained.small(tied, DType.F32, ops)) {
            model.resizeEmbedding(18);
            try (PeftModel peft = PeftModel.inject(model, WHOLE, 1)) {
                expected = Trained.logits(model, tokens);
                peft.save(folder);
            }
        }
        try (CausalLm base = Trained.small(tied, DType.F32, ops); PeftModel peft = PeftModel.load(base, folder, true)) {
            assertEquals(18, base.config().vocabSize());
            assertArrayEquals(expected, Trained.logits(base, tokens));
            assertTrue(peft.tensors().containsKey("base_model.model.lm_head.weight"));
            assertEquals(Shape.of(18, 8), peft.tensors().get("base_model.model.model.embed_tokens.weight").shape());
        }
    }

    @Test
    void aBaseThatAnAdapterDoesNotFitIsAsItWas() {
        try (CausalLm model = Trained.small(false, DType.F32, ops)) {
            model.resizeEmbedding(18);
            try (PeftModel peft = PeftModel.inject(model, WHOLE.toBuilder().targetModules("q_proj", "v_proj").build(), 1)) {
                peft.save(folder);
            }
        }
        WHOLE.write(folder.resolve("adapter_config.json"));                     // without v_proj, which the file has
        try (CausalLm base = Trained.small(false, DType.F32, ops)) {
            float[] before = Trained.logits(base, TOKENS);
            assertThrows(InputException.class, () -> PeftModel.load(base, folder, false));
            assertEquals(16, base.config().vocabSize());
            assertArrayEquals(before, Trained.logits(base, TOKENS));
        }
    }

    @Test
    void aPlanCountsTheRowsToo() {
        try (NullOps counting = new NullOps(); CausalLm model = Trained.small(false, DType.F32, counting)) {
            long before = counting.memory().liveBytes();
            model.resizeEmbedding(32);
            assertTrue(counting.memory().liveBytes() >= before + 2 * 16 * 8 * 4, "two tables of 16 more rows");
        }
    }
}
