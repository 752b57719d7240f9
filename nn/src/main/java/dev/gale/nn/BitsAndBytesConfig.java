package dev.gale.nn;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.quant.Quantization;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// `quantization_config` of a config.json: the weights of projections are in the files as bitsandbytes packs them.
/// Source: Transformers, `utils/quantization_config.py`, `BitsAndBytesConfig`.
///
/// @param quantization of the projections; what a weight's own state says goes before
/// @param skipModules  projections that are dense in the files
public record BitsAndBytesConfig(Quantization quantization, SkipModules skipModules) {
    private static final String KEY = "quantization_config";
    private static final String METHOD = "bitsandbytes";

    /// What the config.json of a model folder says; empty for a dense model.
    /// Throws: InputException as the other `read`.
    public static Optional<BitsAndBytesConfig> read(Path dir) {
        Path file = dir.resolve("config.json");
        return read(HfConfig.json(file), file.toString());
    }

    /// Throws: InputException when the weights of a model folder are quantized.
    public static void requireDense(Path dir) {
        read(dir).ifPresent(config -> {
            throw new InputException("%s is quantized already (%s): take the model it was made from"
                    .formatted(dir, name(config.quantization.dtype())));
        });
    }

    /// What a config.json says; empty for a dense model.
    ///
    /// @param place file name for messages
    /// Throws: InputException when it asks for something that Gale cannot read.
    static Optional<BitsAndBytesConfig> read(ObjectNode config, String place) {
        if (!config.hasNonNull(KEY)) return Optional.empty();
        HfConfig.Fields fields = new HfConfig.Fields(place + ": " + KEY, config.get(KEY));
        if (!fields.json().isObject()) throw fields.bad("must be an object, got " + fields.json());
        String method = fields.text("quant_method", METHOD);
        if (!method.equals(METHOD)) {
            throw new InputException(("%s: weights of the quant_method '%s' cannot be read, only those of %s; take the model "
                    + "they were made from").formatted(fields.place(), method, METHOD));
        }
        boolean four = flag(fields, "load_in_4bit");
        boolean eight = flag(fields, "load_in_8bit");
        if (four && eight) throw fields.bad("load_in_4bit and load_in_8bit exclude each other");
        if (!four && !eight) return Optional.empty();
        return Optional.of(new BitsAndBytesConfig(eight ? Quantization.INT8 : fourBits(fields), skipModules(fields)));
    }

    /// How projections are quantized, by their paths; empty when none is.
    ///
    /// @param beside modules that are no part of the language model
    static Optional<BitsAndBytesConfig> of(Map<String, Projection> projections, List<String> beside) {
        List<String> dense = new ArrayList<>(List.of("lm_head"));                     // a list of names replaces that default
        dense.addAll(beside);
        Tensor quantized = null;
        for (Map.Entry<String, Projection> projection : projections.entrySet()) {
            Tensor weight = projection.getValue().parameters().getFirst().value();
            if (weight.dtype().quantized()) quantized = weight;
            else dense.add(projection.getKey());
        }
        return quantized == null ? Optional.empty()
                : Optional.of(new BitsAndBytesConfig(Quantization.of(quantized), new SkipModules(dense)));
    }

    private static boolean flag(HfConfig.Fields fields, String name) {
        return fields.flag(fields.has(name) ? name : "_" + name);
    }

    private static Quantization fourBits(HfConfig.Fields fields) {
        String type = fields.text("bnb_4bit_quant_type", "fp4");
        boolean nested = fields.flag("bnb_4bit_use_double_quant");
        return switch (type) {
            case "nf4" -> nested ? Quantization.NF4_NESTED : Quantization.NF4;
            case "fp4" -> nested ? Quantization.FP4_NESTED : Quantization.FP4;
            default -> throw fields.bad("bnb_4bit_quant_type '%s' is unknown; known are nf4, fp4".formatted(type));
        };
    }

    private static SkipModules skipModules(HfConfig.Fields fields) {
        List<String> names = new ArrayList<>();
        if (!fields.has("llm_int8_skip_modules")) return SkipModules.NONE;
        JsonNode given = fields.json().get("llm_int8_skip_modules");
        for (JsonNode name : given) {
            if (!name.isTextual()) throw fields.bad("llm_int8_skip_modules must be a list of names, got " + given);
            names.add(name.asText());
        }
        return new SkipModules(names);
    }

    /// Throws: InputException when a model with such weights cannot be opened that way.
    ///
    /// @param place file name for messages
    void requireFits(LoadOptions options, String place) {
        String type = name(quantization.dtype());
        String remedy = "or take the model they were made from";
        if (options.trainable()) {
            throw new InputException("%s: the weights are %s and cannot be trained; train an adapter, %s"
                    .formatted(place, type, remedy));
        }
        if (options.quantization() == null) return;
        if (options.quantization().dtype() != quantization.dtype()) {
            throw new InputException("%s: the weights are %s and cannot become %s; leave them as they are, %s"
                    .formatted(place, type, name(options.quantization().dtype()), remedy));
        }
        if (!options.skipModules().names().isEmpty()) {
            throw new InputException("%s says already which modules are dense; leave out llm_int8_skip_modules, %s"
                    .formatted(place, remedy));
        }
    }

    /// As files and options call a quantized dtype.
    public static String name(DType dtype) {
        return dtype == DType.I8 ? "int8" : dtype.name().toLowerCase(Locale.ROOT);
    }

    /// @param compute dtype of the dense weights beside
    ObjectNode toJson(DType compute) {
        boolean eight = quantization == Quantization.INT8;
        ObjectNode json = HfConfig.newObject();
        json.put("quant_method", METHOD).put("load_in_4bit", !eight).put("load_in_8bit", eight);
        json.put("_load_in_4bit", !eight).put("_load_in_8bit", eight);
        json.put("bnb_4bit_compute_dtype", HfConfig.dtypeName(compute)).put("bnb_4bit_quant_storage", "uint8");
        json.put("bnb_4bit_quant_type", eight ? "fp4" : name(quantization.dtype()));
        json.put("bnb_4bit_use_double_quant", quantization.nested());
        json.put("llm_int8_threshold", 6.0).put("llm_int8_has_fp16_weight", false);
        json.put("llm_int8_enable_fp32_cpu_offload", false);
        skipModules.names().forEach(json.putArray("llm_int8_skip_modules")::add);
        return json;
    }

    /// Puts it into a config.json.
    void write(ObjectNode config, DType compute) {
        config.set(KEY, toJson(compute));
    }

    /// Takes it out of a config.json, whose weights are dense now.
    static void remove(ObjectNode config) {
        config.remove(KEY);
    }
}
