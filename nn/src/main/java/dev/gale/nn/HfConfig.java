package dev.gale.nn;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.Activation;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// Reads `config.json` of a Hugging Face model folder; the only place that knows its field names. Fields that do not
/// change the computation (`use_cache`, `pretraining_tp`, `attention_dropout`) are ignored.
public final class HfConfig {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, Activation> ACTIVATIONS = new TreeMap<>(Map.of("silu", Activation.SILU,
            "swish", Activation.SILU, "gelu", Activation.GELU, "gelu_new", Activation.GELU_TANH,
            "gelu_pytorch_tanh", Activation.GELU_TANH));

    private HfConfig() {}

    /// The configuration in `dir/config.json`, with the end-of-sequence tokens of `generation_config.json` where
    /// it is there.
    /// Throws: InputException when the file is missing, is not JSON, or asks for something Gale does not know.
    public static ModelConfig read(Path dir) {
        requireFolder(dir);
        return read(dir, json(dir.resolve("config.json")));
    }

    static void requireFolder(Path dir) {
        if (Files.exists(dir) && !Files.isDirectory(dir)) {
            throw new InputException("%s is a file; give a model folder".formatted(dir));
        }
    }

    /// As `read`, what config.json would say being given.
    static ModelConfig read(Path dir, ObjectNode configJson) {
        ModelConfig config = parse(configJson, dir.resolve("config.json").toString());
        Path generation = dir.resolve("generation_config.json");
        if (!Files.exists(generation)) return config;
        List<Integer> eos = new Fields(generation.toString(), json(generation)).ints("eos_token_id");
        return eos.isEmpty() ? config : config.withEosTokenIds(eos);
    }

    /// A JSON file that holds an object.
    /// Throws: InputException when it is missing or is none.
    public static ObjectNode json(Path file) {
        try {
            if (JSON.readTree(Files.readString(file)) instanceof ObjectNode object) return object;
            throw new InputException("%s holds no JSON object; download it again".formatted(file));
        } catch (NoSuchFileException e) {
            throw new InputException("%s does not exist; give a model folder".formatted(file), e);
        } catch (JsonProcessingException e) {
            throw new InputException("%s is not JSON (%s); download it again".formatted(file, JsonProblem.where(e)), e);
        } catch (CharacterCodingException e) {
            throw new InputException("%s is not UTF-8 text; download it again".formatted(file), e);
        } catch (IOException e) {
            throw new InputException("%s cannot be read (%s); check its permissions".formatted(file, e), e);
        }
    }

    /// The configuration that a JSON object describes.
    /// @param place file name for messages
    /// Throws: InputException as `read`.
    public static ModelConfig parse(ObjectNode json, String place) {
        Family named = family(json, place);
        Family family = named.text();
        Fields fields = new Fields(place, HfTextPart.read(json, named, place));
        int hidden = fields.positive("hidden_size");
        int heads = fields.positive("num_attention_heads");
        int kvHeads = fields.positive("num_key_value_heads", HfFamilies.numKvHeads(family, heads));
        if (hidden % heads != 0 && !fields.has("head_dim") && !HfFamilies.hasHeadDimDefault(family)) {
            throw fields.bad("hidden_size %d is not a multiple of num_attention_heads %d and there is no head_dim"
                    .formatted(hidden, heads));
        }
        if (heads % kvHeads != 0) {
            throw fields.bad("num_attention_heads %d is not a multiple of num_key_value_heads %d"
                    .formatted(heads, kvHeads));
        }
        boolean latent = family == Family.DEEPSEEK_V2;
        int headDim = latent ? HfMixtures.latent(fields).headDim()
                : fields.positive("head_dim", HfFamilies.headDim(family, hidden, heads));
        int rotated = latent ? HfMixtures.latent(fields).ropeDim() : headDim;
        int maxSeqLen = fields.positive("max_position_embeddings", 2048);
        int layers = fields.positive("num_hidden_layers");
        DType dtype = dtype(fields);
        RopeConfig rope = HfRope.parse(fields, rotated, maxSeqLen, family);
        Variant variant = HfFamilies.variant(family, fields, hidden, layers, dtype);
        if (latent) variant = variant.with(Multipliers.NONE.withAttention(HfMixtures.attentionScale(rope, headDim)));
        return new ModelConfig(named.architecture, hidden, fields.positive("intermediate_size"), layers, heads,
                kvHeads, headDim, fields.positive("vocab_size"), maxSeqLen, HfFamilies.normEps(family, fields),
                activation(HfFamilies.activation(family, fields), fields), HfFamilies.attentionBias(family, fields),
                HfFamilies.mlpBias(family, fields), fields.flag("tie_word_embeddings", HfFamilies.tiesEmbeddings(family)),
                rope, fields.id("bos_token_id"), fields.ints("eos_token_id"),
                fields.id("pad_token_id"), dtype, fields.number("initializer_range", 0.02),
                variant);
    }

    /// Throws: InputException when it is unknown.
    static Family family(ObjectNode json, String place) {
        Fields fields = new Fields(place, json);
        JsonNode names = fields.json().path("architectures");
        String known = Family.known();
        if (!names.isArray() || names.isEmpty()) {
            throw fields.bad("it has no 'architectures'; known are %s".formatted(known));
        }
        String name = names.get(0).asText();
        return Family.of(name)
                .orElseThrow(() -> fields.bad("the architecture '%s' is unknown; known are %s".formatted(name, known)));
    }

    private static Activation activation(String name, Fields fields) {
        Activation activation = ACTIVATIONS.get(name);
        if (activation == null) {
            throw fields.bad("hidden_act '%s' is unknown; known are %s"
                    .formatted(name, String.join(", ", ACTIVATIONS.keySet())));
        }
        return activation;
    }

    private static DType dtype(Fields fields) {
        return switch (fields.text("dtype", fields.text("torch_dtype", "float32"))) {
            case "bfloat16" -> DType.BF16;
            case "float16" -> DType.F16;
            default -> DType.F32;
        };
    }

    static ObjectNode newObject() {
        return JSON.createObjectNode();
    }

    /// Name of a dtype in config.json.
    public static String dtypeName(DType dtype) {
        return switch (dtype) {
            case F32 -> "float32";
            case BF16 -> "bfloat16";
            case F16 -> "float16";
            case I32, U8, NF4, FP4, I8 -> throw new IllegalArgumentException("no weights have dtype " + dtype);
        };
    }

    /// The config.json of a configuration that came from no file.
    public static ObjectNode toJson(ModelConfig config) {
        Family family = Family.of(config).text();
        ObjectNode json = JSON.createObjectNode();
        json.putArray("architectures").add(family.architecture);
        json.put("hidden_size", config.hiddenSize()).put("intermediate_size", config.intermediateSize());
        json.put("num_hidden_layers", config.numLayers()).put("num_attention_heads", config.numHeads());
        json.put("num_key_value_heads", config.numKvHeads()).put("head_dim", config.headDim());
        json.put("vocab_size", config.vocabSize()).put("max_position_embeddings", config.maxSeqLen());
        json.put("rms_norm_eps", config.rmsNormEps()).put("initializer_range", config.initializerRange());
        json.put("hidden_act", switch (config.activation()) {
            case SILU -> "silu";
            case GELU -> "gelu";
            case GELU_TANH -> "gelu_pytorch_tanh";
            case SIGMOID -> throw new IllegalArgumentException("no model has an MLP of sigmoids");
        });
        json.put("attention_bias", config.attentionBias()).put("mlp_bias", config.mlpBias());
        json.put("tie_word_embeddings", config.tieWordEmbeddings());
        HfRope.write(json, config.rope());
        HfFamilies.write(json, family, config);
        if (config.bosTokenId() >= 0) json.put("bos_token_id", config.bosTokenId());
        if (config.padTokenId() >= 0) json.put("pad_token_id", config.padTokenId());
        if (config.eosTokenIds().size() == 1) json.put("eos_token_id", config.eosTokenIds().getFirst());
        if (config.eosTokenIds().size() > 1) config.eosTokenIds().forEach(json.putArray("eos_token_id")::add);
        return json.put("torch_dtype", dtypeName(config.dtype()));
    }

    /// Typed access to the fields of a JSON object, with the file in every message.
    record Fields(String place, JsonNode json) {
        boolean has(String name) {
            return json.hasNonNull(name);
        }

        int positive(String name) {
            return whole(name, 1);
        }

        /// A number from 0 on.
        int whole(String name) {
            return whole(name, 0);
        }

        private int whole(String name, int least) {
            if (!has(name)) throw bad("the required field '%s' is missing".formatted(name));
            JsonNode value = json.get(name);
            if (!value.isIntegralNumber() || !value.canConvertToInt() || value.asInt() < least) {
                throw bad("%s must be a whole number of at least %d, got %s".formatted(name, least, value));
            }
            return value.asInt();
        }

        int positive(String name, int otherwise) {
            return has(name) ? positive(name) : otherwise;
        }

        double number(String name, double otherwise) {
            if (!has(name)) return otherwise;
            if (!json.get(name).isNumber()) throw bad("%s must be a number, got %s".formatted(name, json.get(name)));
            return json.get(name).asDouble();
        }

        double number(String name) {
            if (!has(name)) throw bad("the required field '%s' is missing".formatted(name));
            return number(name, 0);
        }

        boolean flag(String name) {
            return flag(name, false);
        }

        boolean flag(String name, boolean otherwise) {
            if (!has(name)) return otherwise;
            if (!json.get(name).isBoolean()) {
                throw bad("%s must be true or false, got %s".formatted(name, json.get(name)));
            }
            return json.get(name).asBoolean();
        }

        String text(String name, String otherwise) {
            return has(name) ? json.get(name).asText() : otherwise;
        }

        int id(String name) {
            List<Integer> ids = ints(name);
            return ids.isEmpty() ? -1 : ids.getFirst();
        }

        /// A number, a list of numbers, or nothing.
        List<Integer> ints(String name) {
            List<Integer> values = new ArrayList<>();
            if (!has(name)) return values;
            JsonNode node = json.get(name);
            for (JsonNode value : node.isArray() ? node : List.of(node)) {
                if (!value.isIntegralNumber() || !value.canConvertToInt()) {
                    throw bad("%s must be a token id or a list of them, got %s".formatted(name, node));
                }
                values.add(value.asInt());
            }
            return values;
        }

        List<Double> numbers(String name) {
            List<Double> values = new ArrayList<>();
            for (JsonNode value : json.path(name)) {
                if (!value.isNumber()) {
                    throw bad("%s must be a list of numbers, got %s".formatted(name, json.get(name)));
                }
                values.add(value.asDouble());
            }
            return values;
        }

        InputException bad(String what) {
            return new InputException("%s: %s; correct the file or choose another model".formatted(place, what));
        }
    }
}
