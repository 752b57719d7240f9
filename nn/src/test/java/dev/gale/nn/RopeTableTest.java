package dev.gale.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/// Golden rows are cosines and sines of the last position, from `LlamaRotaryEmbedding` of Transformers 5.18.
class RopeTableTest {
    private static final String FACTORS = """
            "short_factor":[1.0,1.1,1.2,1.3],"long_factor":[1.0,2.0,4.0,8.0],"original_max_position_embeddings":32""";
    private static final String YARN = """
            "rope_type":"yarn","factor":4.0,"original_max_position_embeddings":64""";

    private static ModelConfig config(int context, String rope) {
        String json = """
                {"architectures":["LlamaForCausalLM"],"hidden_size":32,"num_attention_heads":4,"num_key_value_heads":2,
                "intermediate_size":8,"num_hidden_layers":1,"vocab_size":16,"max_position_embeddings":%d,
                "rope_parameters":{%s}}
                """.formatted(context, rope);
        try {
            return HfConfig.parse((ObjectNode) new ObjectMapper().readTree(json), "test");
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private static void assertLastRow(int length, ModelConfig config, float... want) {
        try (TensorOps ops = new ReferenceOps()) {
            RopeTable table = RopeTable.of(ops, config, length, length);
            assertEquals(4, table.cos().cols());
            float[] got = Arrays.copyOf(lastRow(ops.toFloats(table.cos())), 8);
            System.arraycopy(lastRow(ops.toFloats(table.sin())), 0, got, 4, 4);
            assertArrayEquals(want, got, length * Math.ulp(1f), "an angle below " + length
                    + " has two roundings to F32");
        }
    }

    private static float[] lastRow(float[] table) {
        return Arrays.copyOfRange(table, table.length - 4, table.length);
    }

    @Test
    void dynamicKeepsFrequenciesWithinTheContext() {
        assertLastRow(20, config(32, "\"rope_type\":\"dynamic\",\"factor\":2.0"),
                0.988704622f, -0.323289543f, 0.982004225f, 0.999819517f, 0.149877205f, 0.946300089f, 0.188858896f,
                0.0189988576f);
    }

    @Test
    void dynamicStretchesThemBeyondIt() {
        assertLastRow(50, config(32, "\"rope_type\":\"dynamic\",\"factor\":2.0"),
                0.300592542f, -0.783985436f, 0.95637852f, 0.999734163f, -0.953752637f, -0.620779216f, 0.292130381f,
                0.0230567809f);
    }

    @Test
    void longropeUsesItsShortFactorsWithinTheOriginalContext() {
        assertLastRow(20, config(128, "\"rope_type\":\"longrope\"," + FACTORS),
                1.16985106f, -0.184390783f, 1.16841567f, 1.18308961f, 0.17733711f, 1.16876006f, 0.186560735f,
                0.0172925405f);
    }

    @Test
    void longropeUsesItsLongFactorsBeyondIt() {
        assertLastRow(50, config(128, "\"rope_type\":\"longrope\"," + FACTORS),
                0.355665892f, -0.911350012f, 1.17434931f, 1.1831938f, -1.12849534f, 0.7546134f, 0.14458172f,
                0.0072471532f);
    }

    @Test
    void yarnScalesByBothMagnitudes() {
        assertLastRow(100, config(256, YARN
                + ",\"mscale\":0.8,\"mscale_all_dim\":0.5,\"beta_fast\":16.0,\"beta_slow\":2.0,\"truncate\":false"),
                0.0413696319f, -0.816500425f, 1.00723577f, 1.03857481f, -1.03806901f, 0.642359495f, 0.254508942f,
                0.0257099774f);
    }

    @Test
    void yarnTakesAGivenAttentionFactor() {
        assertLastRow(100, config(256, YARN + ",\"attention_factor\":1.5"),
                0.0597313195f, 1.49313843f, 1.45429182f, 1.49954057f, -1.49881029f, -0.143309042f, 0.367471337f,
                0.0371212102f);
    }

    @Test
    void llama3InterpolatesBetweenItsBounds() {
        assertLastRow(200, config(256, """
                "rope_type":"llama3","rope_theta":500.0,"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,
                "original_max_position_embeddings":64"""),
                -0.471625715f, 0.838564754f, 0.442471296f, 0.972455382f, -0.881798863f, 0.544801891f, 0.896782696f,
                0.233089238f);
    }

    @Test
    void linearDividesEveryFrequency() {
        assertLastRow(100, config(256, "\"type\":\"linear\",\"factor\":3.0"),
                -0.0132767474f, -0.987479746f, 0.946042359f, 0.999455571f, 0.999911845f, -0.157745883f, 0.324043006f,
                0.0329940133f);
    }

    @Test
    void partialRotaryFactorRotatesTheFirstPairsOnly() {
        assertEquals(2, RopeTable.frequencies(config(32, "\"partial_rotary_factor\":0.5"), 8).values().length);
    }

    @Test
    void tablesAreSharedByLengthsThatUseTheSameFrequencies() {
        try (TensorOps ops = new ReferenceOps();
             RopeTables plain = new RopeTables(ops, config(4096, ""), 4096);
             RopeTables dynamic = new RopeTables(ops, config(32, "\"rope_type\":\"dynamic\",\"factor\":2.0"), 1024)) {
            assertSame(plain.forLength(3), plain.forLength(256));
            assertEquals(256, plain.forLength(3).cos().rows());
            assertEquals(512, plain.forLength(257).cos().rows());
            assertSame(dynamic.forLength(3), dynamic.forLength(32));
            assertNotSame(dynamic.forLength(33), dynamic.forLength(34));
        }
    }

    @Test
    void onlyAFewTablesAreKept() {
        try (TensorOps ops = new ReferenceOps()) {
            try (RopeTables tables = new RopeTables(ops, config(32, "\"rope_type\":\"dynamic\",\"factor\":2.0"),
                    1024)) {
                for (int length = 32; length < 100; length++) tables.forLength(length);
                assertEquals(4 * 2 * 256 * 4 * Float.BYTES, ops.memory().liveBytes());
            }
            assertEquals(0, ops.memory().liveBytes());
        }
    }
}
