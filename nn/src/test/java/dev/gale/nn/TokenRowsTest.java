package dev.gale.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.TensorOps;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Models of every kind of embedding and head with more tokens.
class TokenRowsTest {
    private static final int[] TOKENS = {3, 1, 4, 1, 5};

    @TempDir Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"phi", "gemma2", "granite", "qwen2", "mixtral"})
    void familiesKeepTheirLogitsAndAreSaved(String family) {
        try (TensorOps ops = new CpuOps(); CausalLm model = CausalLm.load(Fixtures.folder(family), LoadOptions.defaults(),
                ops)) {
            int before = model.config().vocabSize();
            float[] logits = Fixtures.logits(model, TOKENS);
            model.resizeEmbedding(before + 3);
            float[] grown = Fixtures.logits(model, TOKENS);
            assertEquals((before + 3) * TOKENS.length, grown.length);
            for (int i = 0; i < TOKENS.length; i++) {
                assertArrayEquals(Arrays.copyOfRange(logits, before * i, before * (i + 1)),
                        Arrays.copyOfRange(grown, (before + 3) * i, (before + 3) * i + before), 1e-5f);
            }
            if (family.equals("phi")) {
                float[] bias = ops.toFloats(model.parameter("lm_head.bias").value());
                double mean = 0;
                for (int i = 0; i < before; i++) mean += bias[i] / (double) before;
                assertEquals(mean, bias[before + 2], 1e-7);
            }
            model.save(folder, null);
            try (CausalLm saved = CausalLm.load(folder, LoadOptions.defaults(), ops)) {
                assertArrayEquals(grown, Fixtures.logits(saved, TOKENS));
            }
        }
    }
}
