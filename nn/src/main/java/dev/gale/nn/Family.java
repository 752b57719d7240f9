package dev.gale.nn;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/// The model families that Gale knows, by what config.json calls them.
enum Family {
    LLAMA("LlamaForCausalLM", "llama", WeightNames.LLAMA),
    MISTRAL("MistralForCausalLM", "mistral", WeightNames.LLAMA),
    QWEN2("Qwen2ForCausalLM", "qwen2", WeightNames.LLAMA),
    QWEN3("Qwen3ForCausalLM", "qwen3", WeightNames.LLAMA),
    GEMMA("GemmaForCausalLM", "gemma", WeightNames.LLAMA),
    GEMMA2("Gemma2ForCausalLM", "gemma2", WeightNames.LLAMA),
    GEMMA3("Gemma3ForCausalLM", "gemma3_text", WeightNames.LLAMA),
    PHI("PhiForCausalLM", "phi", WeightNames.PHI),
    PHI3("Phi3ForCausalLM", "phi3", WeightNames.LLAMA),
    SMOLLM3("SmolLM3ForCausalLM", "smollm3", WeightNames.LLAMA),
    GRANITE("GraniteForCausalLM", "granite", WeightNames.LLAMA),
    MIXTRAL("MixtralForCausalLM", "mixtral", WeightNames.MIXTRAL),
    QWEN2_MOE("Qwen2MoeForCausalLM", "qwen2_moe", WeightNames.QWEN_MOE),
    QWEN3_MOE("Qwen3MoeForCausalLM", "qwen3_moe", WeightNames.QWEN_MOE),
    DEEPSEEK_V2("DeepseekV2ForCausalLM", "deepseek_v2", WeightNames.DEEPSEEK),
    /// Models that see, too, of which the language model is trained.
    GEMMA3_VISION("Gemma3ForConditionalGeneration", GEMMA3), MISTRAL3_VISION("Mistral3ForConditionalGeneration", MISTRAL);

    private static final String PART = "model.language_model";
    private static final String STORED = "language_model.";

    final String architecture;
    final String modelType;
    final WeightNames names;
    private final Family part;

    Family(String architecture, String modelType, WeightNames names) {
        this.architecture = architecture;
        this.modelType = modelType;
        this.names = names;
        part = null;
    }

    Family(String architecture, Family part) {
        this.architecture = architecture;
        modelType = part.modelType;
        names = part.names.within(PART);
        this.part = part;
    }

    /// Whether it is a part of the model that its files hold.
    boolean isPart() {
        return part != null;
    }

    /// The family of the language model.
    Family text() {
        return part == null ? this : part;
    }

    /// Modules that its files hold beside the language model.
    List<String> beside() {
        return isPart() ? List.of("vision_tower", "multi_modal_projector") : List.of();
    }

    /// The path of a weight in the model, by its name in the files.
    String path(String stored) {
        if (!isPart()) return stored;
        if (stored.startsWith(STORED + "model.")) return PART + stored.substring((STORED + "model").length());
        return stored.startsWith(STORED + "lm_head.") ? stored.substring(STORED.length()) : stored;
    }

    /// The name in the files of a weight at a path.
    String stored(String path) {
        if (!isPart()) return path;
        if (path.startsWith(PART + ".")) return STORED + "model" + path.substring(PART.length());
        return path.startsWith("lm_head.") ? STORED + path : path;
    }

    static Optional<Family> of(String architecture) {
        return Arrays.stream(values()).filter(family -> family.architecture.equals(architecture)).findFirst();
    }

    /// The family of a model that was read or made.
    static Family of(ModelConfig config) {
        return of(config.architecture()).orElseThrow(() -> new IllegalArgumentException(config.architecture()));
    }

    static String known() {
        return Arrays.stream(values()).map(family -> family.architecture).collect(Collectors.joining(", "));
    }

    boolean isGemma() {
        return this == GEMMA || this == GEMMA2 || this == GEMMA3;
    }
}
