package dev.gale.nn.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.CausalLm;
import dev.gale.nn.Fixtures;
import dev.gale.nn.HfConfig;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.tensor.InputException;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GeneratorTest {
    private static final GenerationConfig SAMPLE = GenerationConfig.greedy(6, List.of()).withDoSample(true)
            .withTemperature(0.9).withTopK(40).withTopP(0.95).withRepetitionPenalty(1.1).withSeed(5);

    private static List<int[]> generate(String fixture, LoadOptions options, GenerationConfig config,
                                        TokenListener listener, int[]... prompts) {
        return generate(new ReferenceOps(), fixture, options, config, listener, prompts);
    }

    private static List<int[]> generate(TensorOps implementation, String fixture, LoadOptions options,
                                        GenerationConfig config, TokenListener listener, int[]... prompts) {
        try (TensorOps ops = implementation) {
            List<int[]> tokens;
            try (CausalLm model = CausalLm.load(Fixtures.folder(fixture), options, ops)) {
                tokens = new Generator(model).generate(List.of(prompts), config, listener);
            }
            assertEquals(0, ops.memory().liveBytes());
            return tokens;
        }
    }

    private static int[] greedy(int newTokens, int... prompt) {
        return generate("llama", LoadOptions.defaults(), GenerationConfig.greedy(newTokens, List.of()), (s, t) -> true,
                prompt)
                .getFirst();
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3-rope", "llama-linear", "llama-yarn"})
    void greedyTokensEqualThoseOfTransformers(String fixture) {
        try (Safetensors expected = Safetensors.open(Fixtures.folder(fixture).resolve("expected.safetensors"))) {
            int[] want = expected.readInts("greedy");
            List<int[]> got = generate(fixture, LoadOptions.defaults(), GenerationConfig.greedy(24, List.of()),
                    (s, t) -> true, Arrays.copyOf(want, 8));
            assertArrayEquals(Arrays.copyOfRange(want, 8, 32), got.getFirst());
        }
    }

    /// Frequencies of `dynamic` change with every token beyond the context, keys that are cached keep theirs.
    @Test
    void generationBeyondTheTrainedContextFollowsTransformers() {
        int[] want = {13, 7, 4, 8, 15, 23, 15, 15, 23, 13, 16, 23, 19, 13, 7, 4};
        List<int[]> got = generate("llama-bias", LoadOptions.defaults().withMaxSeqLen(24),
                GenerationConfig.greedy(16, List.of()), (s, t) -> true, new int[] {11, 16, 23, 10, 2, 23, 22, 16});
        assertArrayEquals(want, got.getFirst());
    }

    @Test
    void aBatchGivesWhatEachPromptGivesAlone() {
        int[][] prompts = IntStream.range(0, 10).mapToObj(
                i -> IntStream.rangeClosed(1, 1 + i * 3 % 7).map(t -> t * 31 + i).toArray())
                .toArray(int[][]::new);
        for (Supplier<TensorOps> ops : List.<Supplier<TensorOps>>of(ReferenceOps::new, CpuOps::new)) {
            for (GenerationConfig config : List.of(SAMPLE, SAMPLE.withDoSample(false))) {
                List<int[]> batch = generate(ops.get(), config, prompts);
                for (int i = 0; i < prompts.length; i++) {
                    assertArrayEquals(generate(ops.get(), config, prompts[i]).getFirst(), batch.get(i), "prompt " + i);
                }
            }
        }
    }

    private static List<int[]> generate(TensorOps ops, GenerationConfig config, int[]... prompts) {
        return generate(ops, "llama", LoadOptions.defaults(), config, (s, t) -> true, prompts);
    }

    @Test
    void equalPromptsOfABatchAreSampledDifferently() {
        List<int[]> twice = generate("llama", LoadOptions.defaults(), SAMPLE, (s, t) -> true, new int[] {5, 6},
                new int[] {5, 6});
        assertFalse(Arrays.equals(twice.get(0), twice.get(1)));
    }

    @Test
    void theListenerHearsEveryTokenAndMayEndASequence() {
        Map<Integer, List<Integer>> heard = new HashMap<>();
        List<int[]> got = generate("llama", LoadOptions.defaults(), GenerationConfig.greedy(5, List.of()),
                (sequence, token) -> {
            heard.computeIfAbsent(sequence, s -> new ArrayList<>()).add(token);
            return sequence != 1 || heard.get(1).size() < 2;
        }, new int[] {5}, new int[] {6, 7}, new int[] {8});
        assertEquals(2, got.get(1).length);
        assertEquals(5, got.get(2).length);
        for (int s = 0; s < 3; s++) {
            assertArrayEquals(got.get(s), heard.get(s).stream().mapToInt(Integer::intValue).toArray());
        }
    }

    @Test
    void anEndOfSequenceTokenIsTheLast() {
        int[] free = greedy(6, 5, 6);
        List<int[]> got = generate("llama", LoadOptions.defaults(), GenerationConfig.greedy(6, List.of(999, free[2])),
                (s, t) -> true, new int[] {5, 6});
        int first = IntStream.range(0, 6).filter(i -> free[i] == free[2]).findFirst().orElseThrow();
        assertArrayEquals(Arrays.copyOf(free, first + 1), got.getFirst());
    }

    @Test
    void generationEndsAtTheEndOfTheContext() {
        List<int[]> got = generate("llama", LoadOptions.defaults().withMaxSeqLen(7),
                GenerationConfig.greedy(100, List.of()),
                (s, t) -> true, new int[] {1, 2, 3, 4});
        assertArrayEquals(greedy(3, 1, 2, 3, 4), got.getFirst());
    }

    @Test
    void impossiblePromptsAreRejected() {
        rejects("prompt 2 has no tokens", new int[] {1}, new int[0]);
        rejects("prompt 1 has 7 tokens, which leaves no room in the model's context of 7", new int[7]);
        rejects("prompt 1 holds token 320, but the model's vocabulary has 320", new int[] {1, 320});
        rejects("prompt 1 holds token -1", new int[] {-1});
    }

    private static void rejects(String part, int[]... prompts) {
        String message = assertThrows(InputException.class, () ->
                generate("llama", LoadOptions.defaults().withMaxSeqLen(7),
                SAMPLE, (s, t) -> true, prompts)).getMessage();
        assertTrue(message.contains(part), message);
    }

    @Test
    void recommendationsOfTheModelAreRead(@TempDir Path dir) throws IOException {
        Fixtures.copy("llama", dir);
        Files.writeString(dir.resolve("generation_config.json"), """
                {"do_sample": true, "temperature": 0.6, "top_p": 0.9, "top_k": null, "eos_token_id": [7, 8],
                 "max_new_tokens": 12}""");
        assertEquals(new GenerationConfig(12, true, 0.6, 50, 0.9, 1, List.of(7, 8), 0),
                GenerationConfig.read(dir, HfConfig.read(dir)));
        Files.writeString(dir.resolve("generation_config.json"), "{\"temperature\": -1}");
        String message = assertThrows(InputException.class, () ->
                GenerationConfig.read(dir, HfConfig.read(dir))).getMessage();
        assertTrue(message.contains("generation_config.json: temperature must be above 0"), message);
        Files.delete(dir.resolve("generation_config.json"));
        assertEquals(GenerationConfig.greedy(20, List.of(2)), GenerationConfig.read(dir, HfConfig.read(dir)));
    }

    @Test
    void aTrainedModelOfOthersContinuesAsItsReference() throws IOException {
        Path dir = Fixtures.real("models/stories260K");
        JsonNode reference = new ObjectMapper().readTree(dir.resolve("reference.json").toFile());
        int[] want = IntStream.range(0, 257).map(i -> reference.get("greedy_ids").get(i).asInt()).toArray();
        try (TensorOps ops = new CpuOps(); CausalLm model = CausalLm.load(dir, LoadOptions.defaults(), ops)) {
            int[] got = new Generator(model).generate(List.of(new int[] {1}),
                    GenerationConfig.greedy(256, List.of())).getFirst();
            assertArrayEquals(Arrays.copyOfRange(want, 1, 257), got);
        }
    }
}
