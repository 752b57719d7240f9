package dev.gale.peft;

import dev.gale.tensor.InputException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// LoRA hyper-parameters with PEFT's names, defaults and meaning (`adapter_config.json`).
///
/// @param r                   rank of the update, >= 1
/// @param loraAlpha           numerator of the scale `alpha / r`
/// @param loraDropout         probability in [0, 1), applied to the adapter's input only
/// @param targetModules       modules to adapt; null is `q_proj` and `v_proj`
/// @param excludeModules      modules to leave out; null is none
/// @param targetParameters    ends of names of parameters to adapt, as Transformers 5 has them, e.g. `experts.down_proj`, the
///                            experts of a layer in one
/// @param bias                which biases are trained
/// @param useRslora           whether the scale is `alpha / sqrt(r)` (arXiv 2312.03732)
/// @param useDora             whether length and direction of W's rows are trained apart (arXiv 2402.09353)
/// @param loraBias            whether B has a bias
/// @param modulesToSave       modules that are trained and saved whole, e.g. `lm_head`
/// @param initLoraWeights     where A and B begin
/// @param loftqConfig         options of `loftq`
/// @param evaConfig           options of `eva`
/// @param layersToTransform   numbers of the layers to adapt; empty is all. Only with a list of target modules
/// @param layersPattern       names of the list of layers, e.g. `layers`; empty is any
/// @param rankPattern         ranks of modules whose path ends in a match of the key; first match counts
/// @param alphaPattern        alphas, likewise
/// @param trainableTokenIndices tokens whose rows of embedding and head are trained
/// @param taskType            `CAUSAL_LM`; kept for other readers
/// @param baseModelNameOrPath the base model, for people and other readers; null when unknown
/// @param revision            of the base model; null when unknown
public record LoraConfig(int r, double loraAlpha, double loraDropout, ModuleNames targetModules,
                         ModuleNames excludeModules, List<String> targetParameters, Bias bias, boolean useRslora,
                         boolean useDora, boolean loraBias, List<String> modulesToSave, InitLoraWeights initLoraWeights,
                         LoftqConfig loftqConfig, EvaConfig evaConfig, List<Integer> layersToTransform,
                         List<String> layersPattern, Map<String, Integer> rankPattern, Map<String, Double> alphaPattern,
                         TokenIndices trainableTokenIndices, String taskType, String baseModelNameOrPath, String revision) {

    /// Which biases are trained: none, every one, or those of adapted layers. Names as PEFT's in upper case.
    public enum Bias { NONE, ALL, LORA_ONLY }

    /// Checks every value. Throws: InputException naming the option.
    public LoraConfig {
        require(r >= 1, "r must be at least 1, got " + r);
        require(loraAlpha > 0 && Double.isFinite(loraAlpha), "lora_alpha must be a positive number, got " + loraAlpha);
        require(loraDropout >= 0 && loraDropout < 1, "lora_dropout must be in [0, 1), got " + loraDropout);
        targetParameters = List.copyOf(targetParameters);
        require(targetModules == null || !targetModules.isEmpty() || !targetParameters.isEmpty(),
                "target_modules is empty: nothing would be adapted");
        requireOfParameters(targetParameters, loraDropout, useDora, loraBias, initLoraWeights.method());
        requireFitting(initLoraWeights.method(), r, rankPattern.values(), useDora, loraBias);
        modulesToSave = List.copyOf(modulesToSave);
        layersToTransform = List.copyOf(layersToTransform);
        layersPattern = List.copyOf(layersPattern);
        rankPattern = Collections.unmodifiableMap(new LinkedHashMap<>(rankPattern));
        alphaPattern = Collections.unmodifiableMap(new LinkedHashMap<>(alphaPattern));
        boolean pattern = targetModules != null && targetModules.pattern() != null;
        require(!pattern || layersToTransform.isEmpty() && layersPattern.isEmpty(),
                "layers_to_transform and layers_pattern need a list of target_modules, not " + targetModules);
        require(layersPattern.isEmpty() || !layersToTransform.isEmpty(), "layers_pattern needs layers_to_transform");
        rankPattern.forEach((key, rank) -> require(rank >= 1, "rank_pattern %s must be at least 1, got %d", key, rank));
        alphaPattern.forEach((key, alpha) -> require(alpha > 0 && Double.isFinite(alpha),
                "alpha_pattern %s must be a positive number, got %s", key, alpha));
        rankPattern.keySet().forEach(ModuleNames::compile);
        alphaPattern.keySet().forEach(ModuleNames::compile);
        layersPattern.forEach(ModuleNames::compile);
        modulesToSave.forEach(ModuleNames::compile);
    }

    private static void requireFitting(InitLoraWeights.Method init, int r, Collection<Integer> ranks, boolean useDora,
                                       boolean loraBias) {
        boolean even = r % 2 == 0 && ranks.stream().allMatch(rank -> rank % 2 == 0);
        require(init != InitLoraWeights.Method.ORTHOGONAL || even,
                "r and every rank_pattern must be even for init_lora_weights orthogonal");
        boolean drawn = init == InitLoraWeights.Method.KAIMING || init == InitLoraWeights.Method.RANDOM;
        require(!loraBias || drawn, "lora_bias needs init_lora_weights true or false");
        require(!loraBias || !useDora, "lora_bias and use_dora exclude each other; leave out one of them");
    }

    /// What PEFT can do with a parameter: a delta of its value, from the start as it is.
    private static void requireOfParameters(List<String> parameters, double dropout, boolean useDora, boolean loraBias,
                                            InitLoraWeights.Method init) {
        if (parameters.isEmpty()) return;
        String other = dropout > 0 ? "lora_dropout" : useDora ? "use_dora" : loraBias ? "lora_bias" : null;
        require(other == null, "target_parameters and %s exclude each other; leave out one of them", other);
        boolean plain = init == InitLoraWeights.Method.KAIMING || init == InitLoraWeights.Method.RANDOM
                || init == InitLoraWeights.Method.GAUSSIAN;
        require(plain, "target_parameters needs init_lora_weights true, false or gaussian");
    }

    private static void require(boolean condition, String message, Object... args) {
        if (!condition) throw new InputException("LoRA: " + (args.length == 0 ? message : message.formatted(args)));
    }

    /// PEFT's defaults.
    public static LoraConfigBuilder builder() {
        return new LoraConfigBuilder();
    }

    /// A builder that starts from these values.
    public LoraConfigBuilder toBuilder() {
        return new LoraConfigBuilder(this);
    }

    /// Reads an `adapter_config.json`. Keys it does not know are ignored, keys it lacks have PEFT's defaults.
    /// Throws: InputException when it is missing or no JSON, a value is wrong, or it asks for a variant of LoRA that
    /// computes something else.
    public static LoraConfig read(Path file) {
        return LoraConfigJson.read(file);
    }

    /// Writes an `adapter_config.json` that PEFT reads. A file of that name is replaced at once or not at all.
    public void write(Path file) {
        LoraConfigJson.write(this, file);
    }

    /// Rank of the adapter of a module.
    public int rankOf(String path) {
        return ofPattern(rankPattern, path, r);
    }

    /// Alpha of the adapter of a module.
    public double alphaOf(String path) {
        return ofPattern(alphaPattern, path, loraAlpha);
    }

    /// Factor of the update of a module.
    public float scaleOf(String path) {
        int rank = rankOf(path);
        return (float) (alphaOf(path) / (useRslora ? Math.sqrt(rank) : rank));
    }

    private static <T> T ofPattern(Map<String, T> byPattern, String path, T otherwise) {
        for (Map.Entry<String, T> entry : byPattern.entrySet()) {
            if (endsInMatch(entry.getKey(), path)) return entry.getValue();
        }
        return otherwise;
    }

    static boolean endsInMatch(String regex, String path) {
        return Pattern.compile("(.*\\.)?(" + regex + ")").matcher(path).matches();
    }
}
