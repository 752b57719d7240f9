package dev.gale.nn.generate;

import com.fasterxml.jackson.databind.JsonNode;
import dev.gale.nn.HfConfig;
import dev.gale.nn.ModelConfig;
import dev.gale.tensor.InputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// How text is continued; names and defaults as in `generation_config.json` of Hugging Face.
///
/// @param maxNewTokens      most tokens added to a prompt, at least 1
/// @param doSample          draw from the distribution instead of taking the likeliest token
/// @param temperature       divisor of the logits when sampling, above 0
/// @param topK              sample from this many of the likeliest tokens; 0 from all
/// @param topP              sample from the fewest likeliest tokens that reach this probability together, in [0, 1]
/// @param repetitionPenalty divides the logits of tokens seen before, or multiplies negative ones, above 0; 1 is off
/// @param eosTokenIds       tokens that end a sequence
/// @param seed              of the random numbers
public record GenerationConfig(int maxNewTokens, boolean doSample, double temperature, int topK, double topP,
                               double repetitionPenalty, List<Integer> eosTokenIds, long seed) {
    public GenerationConfig {
        require(maxNewTokens >= 1, "max_new_tokens must be at least 1", maxNewTokens);
        require(temperature > 0, "temperature must be above 0 (do_sample: false takes the likeliest token)",
                temperature);
        require(topK >= 0, "top_k must be at least 0", topK);
        require(topP >= 0 && topP <= 1, "top_p must be in [0, 1]", topP);
        require(repetitionPenalty > 0, "repetition_penalty must be above 0", repetitionPenalty);
        eosTokenIds = List.copyOf(eosTokenIds);
    }

    private static void require(boolean holds, String rule, Number got) {
        if (!holds) throw new InputException("%s, got %s".formatted(rule, got));
    }

    /// The likeliest token every time.
    public static GenerationConfig greedy(int maxNewTokens, List<Integer> eosTokenIds) {
        return new GenerationConfig(maxNewTokens, false, 1, 50, 1, 1, eosTokenIds, 0);
    }

    /// What `dir/generation_config.json` recommends, if it is there, with the model's end-of-sequence tokens; up to 20
    /// new tokens unless it says otherwise, as in Transformers.
    /// Throws: InputException when a value in the file is impossible.
    public static GenerationConfig read(Path dir, ModelConfig model) {
        GenerationConfig none = greedy(20, model.eosTokenIds());
        Path file = dir.resolve("generation_config.json");
        if (!Files.exists(file)) return none;
        JsonNode json = HfConfig.json(file);
        try {
            return new GenerationConfig((int) number(json, "max_new_tokens", none.maxNewTokens),
                    json.path("do_sample").asBoolean(none.doSample),
                    number(json, "temperature", none.temperature), (int) number(json, "top_k", none.topK),
                    number(json, "top_p", none.topP), number(json, "repetition_penalty", none.repetitionPenalty),
                    none.eosTokenIds, none.seed);
        } catch (InputException e) {
            throw new InputException("%s: %s; correct the file".formatted(file, e.getMessage()), e);
        }
    }

    private static double number(JsonNode json, String name, double otherwise) {
        if (!json.hasNonNull(name)) return otherwise;
        if (json.get(name).isNumber()) return json.get(name).asDouble();
        throw new InputException("%s must be a number, got %s".formatted(name, json.get(name)));
    }

    public GenerationConfig withMaxNewTokens(int maxNewTokens) {
        return new GenerationConfig(maxNewTokens, doSample, temperature, topK, topP, repetitionPenalty, eosTokenIds,
                seed);
    }

    public GenerationConfig withDoSample(boolean doSample) {
        return new GenerationConfig(maxNewTokens, doSample, temperature, topK, topP, repetitionPenalty, eosTokenIds,
                seed);
    }

    public GenerationConfig withTemperature(double temperature) {
        return new GenerationConfig(maxNewTokens, doSample, temperature, topK, topP, repetitionPenalty, eosTokenIds,
                seed);
    }

    public GenerationConfig withTopK(int topK) {
        return new GenerationConfig(maxNewTokens, doSample, temperature, topK, topP, repetitionPenalty, eosTokenIds,
                seed);
    }

    public GenerationConfig withTopP(double topP) {
        return new GenerationConfig(maxNewTokens, doSample, temperature, topK, topP, repetitionPenalty, eosTokenIds,
                seed);
    }

    public GenerationConfig withRepetitionPenalty(double repetitionPenalty) {
        return new GenerationConfig(maxNewTokens, doSample, temperature, topK, topP, repetitionPenalty, eosTokenIds,
                seed);
    }

    public GenerationConfig withEosTokenIds(List<Integer> eosTokenIds) {
        return new GenerationConfig(maxNewTokens, doSample, temperature, topK, topP, repetitionPenalty, eosTokenIds,
                seed);
    }

    public GenerationConfig withSeed(long seed) {
        return new GenerationConfig(maxNewTokens, doSample, temperature, topK, topP, repetitionPenalty, eosTokenIds,
                seed);
    }
}
