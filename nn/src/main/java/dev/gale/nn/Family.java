package dev.gale.nn;

import java.util.Arrays;
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
    DEEPSEEK_V2("DeepseekV2ForCausalLM", "deepseek_v2", WeightNames.DEEPSEEK);

    final String architecture;
    final String modelType;
    final WeightNames names;

    Family(String architecture, String modelType, WeightNames names) {
        this.architecture = architecture;
        this.modelType = modelType;
        this.names = names;
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
