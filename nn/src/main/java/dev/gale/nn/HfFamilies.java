package dev.gale.nn;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.HfConfig.Fields;
import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// What config.json says of the layers of each family. Fields that are absent have the values that Transformers gives them.
final class HfFamilies {
    private static final String SLIDING = "sliding_attention";
    private static final String LAYER_TYPES = "layer_types";
    private static final String WINDOW = "sliding_window";

    private HfFamilies() {}

    /// Width of a head when the file does not say it.
    static int headDim(Family family, int hidden, int heads) {
        return switch (family) {
            case GEMMA, GEMMA2, GEMMA3 -> 256;
            case QWEN3 -> 128;
            default -> hidden / heads;
        };
    }

    static boolean hasHeadDimDefault(Family family) {
        return family.isGemma() || family == Family.QWEN3;
    }

    static int numKvHeads(Family family, int heads) {
        return switch (family) {
            case MISTRAL, MIXTRAL -> 8;
            case QWEN3_MOE -> 4;
            default -> heads;
        };
    }

    static boolean tiesEmbeddings(Family family) {
        return family.isGemma() || family == Family.SMOLLM3;
    }

    static double normEps(Family family, Fields fields) {
        return family == Family.PHI ? fields.number("layer_norm_eps", 1e-5)
                : fields.number("rms_norm_eps", family == Family.PHI3 || family == Family.MIXTRAL ? 1e-5 : 1e-6);
    }

    /// The activation's name. Gemma's early files say gelu where they mean its tanh form.
    static String activation(Family family, Fields fields) {
        if (!family.isGemma()) return fields.text("hidden_act", family == Family.PHI ? "gelu_new" : "silu");
        String name = fields.text("hidden_activation", fields.text("hidden_act", "gelu_pytorch_tanh"));
        return name.equals("gelu") && family == Family.GEMMA ? "gelu_pytorch_tanh" : name;
    }

    static boolean attentionBias(Family family, Fields fields) {
        if (family == Family.QWEN2_MOE) return fields.flag("qkv_bias", true);
        return family == Family.QWEN2 || family == Family.PHI || fields.flag("attention_bias");
    }

    static boolean mlpBias(Family family, Fields fields) {
        return family == Family.PHI || fields.flag("mlp_bias");
    }

    static double theta(Family family) {
        return family == Family.GEMMA3 ? 1e6 : 10_000;
    }

    static double partialRotaryFactor(Family family) {
        return family == Family.PHI ? 0.5 : 1;
    }

    /// @param layers how many the model has
    static Variant variant(Family family, Fields fields, int hidden, int layers, DType dtype) {
        return switch (family) {
            case LLAMA -> Variant.LLAMA;
            case MISTRAL -> Variant.LLAMA.with(LayerKinds.sliding(window(fields, 4096)));
            case QWEN2 -> Variant.of(LayerForm.QWEN2).with(qwenKinds(fields, layers));
            case QWEN3 -> Variant.of(LayerForm.QWEN3).with(qwenKinds(fields, layers));
            case GEMMA -> Variant.of(LayerForm.GEMMA).with(gemma(fields, hidden, dtype, 0, 0, 0));
            case GEMMA2 -> Variant.of(LayerForm.GEMMA2).with(gemma(fields, hidden, dtype, 256, 50, 30))
                    .with(gemmaKinds(fields, layers, 2, null));
            case GEMMA3 -> Variant.of(LayerForm.GEMMA3).with(gemma(fields, hidden, dtype, 256, 0, 0))
                    .with(gemmaKinds(fields, layers, fields.positive("sliding_window_pattern", 6), HfRope.sliding(fields)));
            case PHI -> Variant.of(fields.flag("qk_layernorm") ? LayerForm.PHI_NORMS : LayerForm.PHI);
            case PHI3 -> Variant.of(LayerForm.PHI3).with(LayerKinds.sliding(window(fields, 0)));
            case SMOLLM3 -> Variant.LLAMA.with(smolLmKinds(fields, layers));
            case MIXTRAL -> Variant.LLAMA.with(LayerKinds.sliding(window(fields, 0))).with(HfMixtures.mixtral(fields));
            case QWEN2_MOE -> Variant.of(LayerForm.QWEN2).with(qwenKinds(fields, layers))
                    .with(HfMixtures.qwen(fields, layers, true));
            case QWEN3_MOE -> Variant.of(LayerForm.QWEN3).with(qwenKinds(fields, layers))
                    .with(HfMixtures.qwen(fields, layers, false));
            case DEEPSEEK_V2 -> HfMixtures.deepseek(fields, layers);
            case GEMMA3_VISION, MISTRAL3_VISION -> throw new IllegalArgumentException(family
                    + " is read as its language model");
            case GRANITE -> Variant.LLAMA.with(new Multipliers(fields.number("embedding_multiplier", 1),
                    fields.number("attention_multiplier", 1), fields.number("residual_multiplier", 1),
                    1 / nonZero(fields, "logits_scaling"), 0, 0));
        };
    }

    private static double nonZero(Fields fields, String name) {
        double value = fields.number(name, 1);
        if (value == 0) throw fields.bad(name + " must not be 0");
        return value;
    }

    /// A window that is written as null is none; one that is absent is `otherwise`.
    private static int window(Fields fields, int otherwise) {
        if (!fields.has(WINDOW)) return fields.json().has(WINDOW) ? 0 : otherwise;
        return fields.positive(WINDOW);
    }

    /// The embedding is multiplied by the root of its width, rounded to its dtype.
    private static Multipliers gemma(Fields fields, int hidden, DType dtype, double queryScalar, double attentionCap,
                                     double logitsCap) {
        if (fields.has("use_bidirectional_attention") && !fields.json().get("use_bidirectional_attention").isBoolean()
                || fields.flag("use_bidirectional_attention")) {
            throw fields.bad("use_bidirectional_attention is not supported");
        }
        double query = queryScalar == 0 ? 0 : fields.number("query_pre_attn_scalar", queryScalar);
        return new Multipliers(rounded(Math.sqrt(hidden), dtype), query == 0 ? 0 : 1 / Math.sqrt(query), 1, 1,
                cap(fields, "attn_logit_softcapping", attentionCap), cap(fields, "final_logit_softcapping", logitsCap));
    }

    private static double rounded(double value, DType dtype) {
        return switch (dtype) {
            case BF16 -> Convert.fromBf16(Convert.toBf16((float) value));
            case F16 -> Float.float16ToFloat(Float.floatToFloat16((float) value));
            default -> (float) value;
        };
    }

    /// A cap that is written as null is none; one that is absent is `otherwise`.
    private static double cap(Fields fields, String name, double otherwise) {
        return fields.json().has(name) ? fields.number(name, 0) : otherwise;
    }

    private static LayerKinds qwenKinds(Fields fields, int layers) {
        int window = fields.flag("use_sliding_window") ? window(fields, 4096) : 0;
        int full = fields.has("max_window_layers") ? fields.whole("max_window_layers") : 28;
        return kinds(window, sliding(fields, layers, layer -> layer >= full), List.of(), null);
    }

    private static LayerKinds gemmaKinds(Fields fields, int layers, int pattern, RopeConfig slidingRope) {
        return kinds(window(fields, 4096), sliding(fields, layers, layer -> (layer + 1) % pattern != 0),
                List.of(), slidingRope);
    }

    private static LayerKinds smolLmKinds(Fields fields, int layers) {
        int interval = fields.positive("no_rope_layer_interval", 4);
        List<Integer> listed = fields.ints("no_rope_layers");
        if (!listed.isEmpty() && listed.size() != layers) {
            throw fields.bad("no_rope_layers has %d entries for %d layers".formatted(listed.size(), layers));
        }
        List<Boolean> rotated = IntStream.range(0, layers)
                .mapToObj(layer -> listed.isEmpty() ? (layer + 1) % interval != 0 : listed.get(layer) != 0).toList();
        int window = fields.flag("use_sliding_window") ? window(fields, 0) : 0;
        return kinds(window, sliding(fields, layers, layer -> !rotated.get(layer)),
                LayerKinds.unlessAll(true, rotated.stream()), null);
    }

    private static LayerKinds kinds(int window, List<Boolean> sliding, List<Boolean> rotated, RopeConfig slidingRope) {
        if (window == 0 || !sliding.contains(true)) return new LayerKinds(0, List.of(), rotated, null);
        return new LayerKinds(window, LayerKinds.unlessAll(true, sliding.stream()), rotated, slidingRope);
    }

    /// Which layers have a sliding window: as `layer_types` says, else by the family's rule.
    private static List<Boolean> sliding(Fields fields, int layers, IntPredicate rule) {
        if (!fields.has(LAYER_TYPES)) return IntStream.range(0, layers).mapToObj(rule::test).toList();
        JsonNode types = fields.json().get(LAYER_TYPES);
        if (!types.isArray() || types.size() != layers) {
            throw fields.bad("layer_types must be a list of %d names".formatted(layers));
        }
        return IntStream.range(0, layers).mapToObj(layer -> switch (types.get(layer).asText()) {
            case SLIDING -> true;
            case "full_attention" -> false;
            default -> throw fields.bad("the layer type '%s' is unknown; known are full_attention, %s"
                    .formatted(types.get(layer).asText(), SLIDING));
        }).toList();
    }

    /// Writes what `variant` reads.
    static void write(ObjectNode json, Family family, ModelConfig config) {
        json.put("model_type", family.modelType);
        Multipliers multipliers = config.variant().multipliers();
        LayerKinds kinds = config.variant().kinds();
        if (kinds.window() > 0) json.put(WINDOW, kinds.window());
        else json.putNull(WINDOW);
        if (config.variant().mixture() != null) HfMixtures.write(json, family, config);
        if (kinds.window() > 0 && family != Family.MISTRAL && family != Family.MIXTRAL && family != Family.PHI3) {
            json.put("use_sliding_window", true);
            IntStream.range(0, config.numLayers()).mapToObj(layer -> kinds.slides(layer) ? SLIDING : "full_attention")
                    .forEach(json.putArray(LAYER_TYPES)::add);
        }
        if (family == Family.PHI) {
            json.put("layer_norm_eps", config.rmsNormEps()).put("qk_layernorm", config.variant().form().headNorms());
        }
        if (family == Family.SMOLLM3) {
            IntStream.range(0, config.numLayers()).map(layer -> kinds.rotates(layer) ? 1 : 0)
                    .forEach(json.putArray("no_rope_layers")::add);
        }
        if (family == Family.GRANITE) {
            json.put("embedding_multiplier", multipliers.embedding()).put("attention_multiplier", multipliers.attention());
            json.put("residual_multiplier", multipliers.residual()).put("logits_scaling", 1 / multipliers.logits());
        }
        if (!family.isGemma()) return;
        json.put("hidden_activation", json.get("hidden_act").asText());
        if (multipliers.attention() != 0) json.put("query_pre_attn_scalar", Math.round(Math.pow(multipliers.attention(), -2)));
        Stream.of("attn_logit_softcapping", "final_logit_softcapping").forEach(json::putNull);
        if (multipliers.attentionCap() > 0) json.put("attn_logit_softcapping", multipliers.attentionCap());
        if (multipliers.logitsCap() > 0) json.put("final_logit_softcapping", multipliers.logitsCap());
        if (kinds.slidingRope() != null) json.put("rope_local_base_freq", kinds.slidingRope().theta());
    }
}
