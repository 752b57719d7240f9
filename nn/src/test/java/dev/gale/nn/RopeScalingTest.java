package dev.gale.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RopeScalingTest {
    private static final RopeScaling LINEAR = new RopeScaling(Map.of("type", "linear", "factor", 8.0));

    /// The weights of a fixture whose config.json scales, with one that does not, in the new spelling or the old.
    private static Path unscaled(Path dir, boolean old) throws IOException {
        Fixtures.copy("llama-linear", dir);
        ObjectNode config = HfConfig.json(dir.resolve("config.json"));
        ObjectNode rope = (ObjectNode) config.get("rope_parameters");
        rope.put("rope_type", "default").remove("factor");
        if (old) config.put("rope_theta", config.remove("rope_parameters").get("rope_theta").asDouble())
                .putNull("rope_scaling");
        Files.writeString(dir.resolve("config.json"), config.toString());
        return dir;
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void scalingGivenAtLoadIsThatOfAConfiguration(boolean old, @TempDir Path dir, @TempDir Path saved) throws IOException {
        Path source = unscaled(dir, old);
        LoadOptions options = LoadOptions.defaults().withRopeScaling(LINEAR);
        float[] logits;
        try (TensorOps ops = new ReferenceOps(); CausalLm model = CausalLm.load(source, options, ops);
             Safetensors expected = Safetensors.open(dir.resolve("expected.safetensors"))) {
            int[][] sequences = Fixtures.sequences(expected, "input_ids", 2);
            logits = Fixtures.logits(model, sequences[0]);
            double worst = Fixtures.worst(Fixtures.logits(model, sequences), expected.readFloats("logits"), sequences, 24, 320);
            assertTrue(worst <= 2e-5, "largest difference of a logit " + worst);
            assertEquals(8 * 256, model.maxSeqLen());
            model.save(saved, null);
        }
        try (TensorOps ops = new ReferenceOps(); CausalLm model = CausalLm.load(saved, LoadOptions.defaults(), ops);
             Safetensors expected = Safetensors.open(dir.resolve("expected.safetensors"))) {
            assertArrayEquals(logits, Fixtures.logits(model, Fixtures.sequences(expected, "input_ids", 2)[0]));
        }
    }

    @Test
    void theLengthThatIsAskedForGoesBeforeTheFactor() {
        LoadOptions options = LoadOptions.defaults().withRopeScaling(LINEAR).withMaxSeqLen(500);
        try (TensorOps ops = new ReferenceOps(); CausalLm model = CausalLm.load(Fixtures.folder("llama"), options, ops)) {
            assertEquals(500, model.maxSeqLen());
            assertEquals(RopeConfig.Type.LINEAR, model.config().rope().type());
        }
    }

    @Test
    void onlyTheLayersThatSeeAllAreScaledInGemma3() {
        LoadOptions options = LoadOptions.defaults()
                .withRopeScaling(new RopeScaling(Map.of("rope_type", "linear", "factor", 4)));
        try (TensorOps ops = new ReferenceOps(); CausalLm model = CausalLm.load(Fixtures.folder("gemma3"), options, ops)) {
            assertEquals(4, model.config().rope().factor());
            assertEquals(1e6, model.config().rope().theta());
            assertEquals(RopeConfig.plain(10_000), model.config().variant().kinds().slidingRope());
        }
    }

    @Test
    void whatIsWrongIsNamed() {
        String untyped = assertThrows(InputException.class, () -> new RopeScaling(Map.of("factor", 2))).getMessage();
        assertTrue(untyped.startsWith("rope_scaling must name a type"), untyped);
        LoadOptions options = LoadOptions.defaults().withRopeScaling(new RopeScaling(Map.of("type", "linear")));
        try (TensorOps ops = new ReferenceOps()) {
            String factorless = assertThrows(InputException.class,
                    () -> CausalLm.load(Fixtures.folder("llama"), options, ops)).getMessage();
            assertTrue(factorless.contains("the required field 'factor' is missing"), factorless);
        }
    }
}
