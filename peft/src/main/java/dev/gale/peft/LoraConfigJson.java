package dev.gale.peft;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.AtomicFile;
import dev.gale.nn.JsonProblem;
import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;

/// `adapter_config.json`, the one place that knows its keys.
/// Source: peft `tuners/lora/config.py`.
final class LoraConfigJson {
    private static final ObjectMapper JSON = new ObjectMapper();

    /// Keys of variants that compute something other than plain LoRA when they are set.
    private static final List<String> OTHER_COMPUTATION = List.of("use_qalora", "use_bdlora", "layer_replication",
            "alora_invocation_tokens", "velora_config", "kasa_config", "monteclora_config", "arrow_config",
            "ensure_weight_tying");

    private final JsonNode json;
    private final String source;

    private LoraConfigJson(JsonNode json, String source) {
        this.json = json;
        this.source = source;
    }

    static LoraConfig read(Path file) {
        try {
            JsonNode json = JSON.readTree(file.toFile());
            if (!json.isObject()) throw new InputException(file + " holds no JSON object; give a PEFT adapter");
            return new LoraConfigJson(json, file.toString()).config();
        } catch (JsonProcessingException e) {
            throw new InputException("%s is not JSON (%s); save the adapter again"
                    .formatted(file, JsonProblem.where(e)), e);
        } catch (IOException e) {
            boolean missing = e instanceof NoSuchFileException || e instanceof java.io.FileNotFoundException;
            throw new InputException(missing ? file + " is missing; give the folder of a PEFT adapter"
                    : "%s cannot be read (%s)".formatted(file, e.getMessage()), e);
        }
    }

    private LoraConfig config() {
        String type = text("peft_type", "LORA");
        if (!type.equals("LORA")) throw wrong("peft_type is %s; only LORA is supported", type);
        for (String key : OTHER_COMPUTATION) {
            if (isSet(json.get(key))) throw wrong("%s is set; this variant of LoRA is not supported", key);
        }
        try {
            return LoraConfig.builder()
                    .r(whole("r", json.get("r"), 8))
                    .loraAlpha(number("lora_alpha", json.get("lora_alpha"), 8))
                    .loraDropout(number("lora_dropout", json.get("lora_dropout"), 0))
                    .targetModules(modules("target_modules"))
                    .excludeModules(modules("exclude_modules"))
                    .targetParameters(texts("target_parameters").toArray(String[]::new))
                    .bias(bias())
                    .useRslora(flag("use_rslora"))
                    .useDora(flag("use_dora"))
                    .loraBias(flag("lora_bias"))
                    .modulesToSave(texts("modules_to_save").toArray(String[]::new))
                    .initLoraWeights(init())
                    .loftqConfig(loftq())
                    .evaConfig(eva())
                    .layersToTransform(layers())
                    .layersPattern(texts("layers_pattern"))
                    .rankPattern(pattern("rank_pattern", (value) -> whole("rank_pattern", value, 0)))
                    .alphaPattern(pattern("alpha_pattern", (value) -> number("alpha_pattern", value, 0)))
                    .trainableTokenIndices(tokenIndices())
                    .taskType(text("task_type", null))
                    .baseModelNameOrPath(text("base_model_name_or_path", null))
                    .revision(text("revision", null))
                    .build();
        } catch (InputException e) {
            throw e.getMessage().startsWith(source) ? e : new InputException(source + ": " + e.getMessage(), e);
        }
    }

    private static boolean isSet(JsonNode value) {
        if (value == null || value.isNull()) return false;
        return value.isBoolean() ? value.asBoolean() : !value.isContainerNode() || !value.isEmpty();
    }

    private boolean has(String key) {
        return json.hasNonNull(key);
    }

    private InputException wrong(String message, Object... args) {
        return new InputException(source + ": " + message.formatted(args));
    }

    private String text(String key, String otherwise) {
        if (!has(key)) return otherwise;
        if (!json.get(key).isTextual()) throw wrong("%s must be text, got %s", key, json.get(key));
        return json.get(key).textValue();
    }

    private boolean flag(String key) {
        return flag(key, false);
    }

    private boolean flag(String key, boolean otherwise) {
        if (!has(key)) return otherwise;
        if (!json.get(key).isBoolean()) throw wrong("%s must be true or false, got %s", key, json.get(key));
        return json.get(key).booleanValue();
    }

    private int whole(String key, JsonNode value, int otherwise) {
        if (value == null || value.isNull()) return otherwise;
        boolean whole = value.isIntegralNumber() && value.canConvertToInt();
        if (!whole) throw wrong("%s must be a whole number, got %s", key, value);
        return value.intValue();
    }

    private double number(String key, JsonNode value, double otherwise) {
        if (value == null || value.isNull()) return otherwise;
        if (!value.isNumber()) throw wrong("%s must be a number, got %s", key, value);
        return value.doubleValue();
    }

    /// A list of texts; a single one counts as a list.
    private List<String> texts(String key) {
        if (!has(key)) return List.of();
        JsonNode value = json.get(key);
        if (value.isTextual()) return value.textValue().isEmpty() ? List.of() : List.of(value.textValue());
        List<String> texts = new ArrayList<>();
        for (JsonNode element : value) {
            if (!element.isTextual()) throw wrong("%s must be a list of names, got %s", key, value);
            texts.add(element.textValue());
        }
        if (!value.isArray()) throw wrong("%s must be a list of names, got %s", key, value);
        return texts;
    }

    private ModuleNames modules(String key) {
        if (!has(key)) return null;
        if (json.get(key).isTextual()) return ModuleNames.matching(json.get(key).textValue());
        return new ModuleNames(texts(key), null);
    }

    private LoraConfig.Bias bias() {
        return switch (text("bias", "none")) {
            case "none" -> LoraConfig.Bias.NONE;
            case "all" -> LoraConfig.Bias.ALL;
            case "lora_only" -> LoraConfig.Bias.LORA_ONLY;
            case String other -> throw wrong("bias must be none, all or lora_only, got '%s'", other);
        };
    }

    private InitLoraWeights init() {
        JsonNode value = json.get("init_lora_weights");
        if (value == null || value.isNull()) return InitLoraWeights.KAIMING;
        return InitLoraWeights.of(value.isBoolean() ? (Object) value.booleanValue() : value.textValue())
                .orElseThrow(() -> wrong("init_lora_weights must be %s, got %s, which is not supported",
                        InitLoraWeights.EXPECTED, value));
    }

    private LoftqConfig loftq() {
        if (init().method() != InitLoraWeights.Method.LOFTQ) return LoftqConfig.DEFAULT;
        LoraConfigJson section = section("loftq_config");
        LoftqConfig otherwise = LoftqConfig.DEFAULT;
        return new LoftqConfig(section.whole("loftq_bits", section.json.get("loftq_bits"), otherwise.loftqBits()),
                section.whole("loftq_iter", section.json.get("loftq_iter"), otherwise.loftqIter()));
    }

    private EvaConfig eva() {
        if (init().method() != InitLoraWeights.Method.EVA) return EvaConfig.DEFAULT;
        LoraConfigJson section = section("eva_config");
        EvaConfig otherwise = EvaConfig.DEFAULT;
        return new EvaConfig(section.number("rho", section.json.get("rho"), otherwise.rho()),
                section.number("tau", section.json.get("tau"), otherwise.tau()),
                section.flag("use_label_mask", otherwise.useLabelMask()),
                section.whole("label_mask_value", section.json.get("label_mask_value"), otherwise.labelMaskValue()),
                section.flag("whiten", otherwise.whiten()),
                section.flag("adjust_scaling_factors", otherwise.adjustScalingFactors()));
    }

    private LoraConfigJson section(String key) {
        if (!has(key)) return new LoraConfigJson(JSON.createObjectNode(), source);
        if (!json.get(key).isObject()) throw wrong("%s must be a section of keys, got %s", key, json.get(key));
        return new LoraConfigJson(json.get(key), source + ": " + key);
    }

    private List<Integer> layers() {
        return has("layers_to_transform") ? wholes("layers_to_transform", json.get("layers_to_transform")) : List.of();
    }

    /// A list of whole numbers; a single one counts as a list.
    private List<Integer> wholes(String key, JsonNode value) {
        if (!value.isArray()) return List.of(whole(key, value, 0));
        List<Integer> wholes = new ArrayList<>();
        for (JsonNode element : value) wholes.add(whole(key, element, 0));
        return wholes;
    }

    private TokenIndices tokenIndices() {
        String key = "trainable_token_indices";
        if (!has(key)) return TokenIndices.NONE;
        JsonNode value = json.get(key);
        if (!value.isObject()) return new TokenIndices(wholes(key, value), Map.of());
        Map<String, List<Integer>> byModule = new LinkedHashMap<>();
        value.properties().forEach(entry -> byModule.put(entry.getKey(), wholes(key, entry.getValue())));
        return new TokenIndices(List.of(), byModule);
    }

    private <T> Map<String, T> pattern(String key, Function<JsonNode, T> convert) {
        Map<String, T> byPattern = new LinkedHashMap<>();
        if (!has(key)) return byPattern;
        if (!json.get(key).isObject()) throw wrong("%s must map names to numbers, got %s", key, json.get(key));
        json.get(key).properties().forEach(entry -> byPattern.put(entry.getKey(), convert.apply(entry.getValue())));
        return byPattern;
    }

    // ---- writing ----

    static void write(LoraConfig config, Path file) {
        AtomicFile.write(file, toJson(config).toPrettyString() + "\n");
    }

    private static ObjectNode toJson(LoraConfig config) {
        ObjectNode json = JSON.createObjectNode();
        ObjectNode alphas = json.putObject("alpha_pattern");
        config.alphaPattern().forEach((key, alpha) -> putNumber(alphas, key, alpha));
        json.putNull("auto_mapping");
        json.put("base_model_name_or_path", config.baseModelNameOrPath());
        json.put("bias", config.bias().name().toLowerCase(Locale.ROOT));
        putModules(json, "exclude_modules", config.excludeModules());
        json.put("fan_in_fan_out", false);
        json.put("inference_mode", true);
        putInit(json, config);
        putList(json, "layers_pattern", config.layersPattern());
        if (config.layersToTransform().isEmpty()) json.putNull("layers_to_transform");
        else config.layersToTransform().forEach(json.putArray("layers_to_transform")::add);
        putNumber(json, "lora_alpha", config.loraAlpha());
        json.put("lora_bias", config.loraBias());
        json.put("lora_dropout", config.loraDropout());
        putList(json, "modules_to_save", config.modulesToSave());
        json.put("peft_type", "LORA");
        json.put("r", config.r());
        ObjectNode ranks = json.putObject("rank_pattern");
        config.rankPattern().forEach(ranks::put);
        json.put("revision", config.revision());
        putModules(json, "target_modules", config.targetModules());
        if (config.targetModules() != null && config.targetModules().isEmpty()) json.putArray("target_modules");
        putList(json, "target_parameters", config.targetParameters());
        json.put("task_type", config.taskType());
        putTokens(json, config.trainableTokenIndices());
        json.put("use_dora", config.useDora());
        json.put("use_rslora", config.useRslora());
        return json;
    }

    /// PEFT warns about options of an initialization that is not the one.
    private static void putInit(ObjectNode json, LoraConfig config) {
        json.set("init_lora_weights", JSON.valueToTree(config.initLoraWeights().value()));
        ObjectNode loftq = json.putObject("loftq_config");
        json.putNull("eva_config");
        switch (config.initLoraWeights().method()) {
            case LOFTQ -> loftq.put("loftq_bits", config.loftqConfig().loftqBits())
                    .put("loftq_iter", config.loftqConfig().loftqIter());
            case EVA -> json.putObject("eva_config").put("rho", config.evaConfig().rho())
                    .put("tau", config.evaConfig().tau()).put("use_label_mask", config.evaConfig().useLabelMask())
                    .put("label_mask_value", config.evaConfig().labelMaskValue())
                    .put("whiten", config.evaConfig().whiten())
                    .put("adjust_scaling_factors", config.evaConfig().adjustScalingFactors());
            default -> { }
        }
    }

    private static void putModules(ObjectNode json, String key, ModuleNames modules) {
        if (modules != null && modules.pattern() != null) json.put(key, modules.pattern());
        else putList(json, key, modules == null ? List.of() : modules.names());
    }

    private static void putTokens(ObjectNode json, TokenIndices indices) {
        String key = "trainable_token_indices";
        if (indices.isEmpty()) json.putNull(key);
        else if (indices.byModule().isEmpty()) indices.ofEmbedding().forEach(json.putArray(key)::add);
        else {
            ObjectNode byModule = json.putObject(key);
            indices.byModule().forEach((module, ids) -> ids.forEach(byModule.putArray(module)::add));
        }
    }

    private static void putList(ObjectNode json, String key, List<String> texts) {
        if (texts.isEmpty()) {
            json.putNull(key);
            return;
        }
        ArrayNode array = json.putArray(key);
        texts.forEach(array::add);
    }

    /// Readers expect whole alphas as integers.
    private static void putNumber(ObjectNode json, String key, double value) {
        if (value == Math.rint(value) && Math.abs(value) < 1e9) json.put(key, (int) value);
        else json.put(key, value);
    }
}
