package dev.gale.train.config;

import dev.gale.nn.HostWeights;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.RopeScaling;
import dev.gale.optim.OptimArgs;
import dev.gale.peft.EvaConfig;
import dev.gale.peft.InitLoraWeights;
import dev.gale.peft.LoftqConfig;
import dev.gale.peft.LoraConfig;
import dev.gale.peft.ModuleNames;
import dev.gale.peft.TokenIndices;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.train.QuantizationOptions;
import dev.gale.train.SftConfig;
import dev.gale.train.data.DatasetConfig;
import dev.gale.train.data.read.DataFiles;
import dev.gale.train.script.ScriptOptions;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.UnaryOperator;

/// A training run as its YAML file describes it: the model, the options of `SftConfig` and `QuantizationOptions` beside it at
/// the top, and the sections `lora` and `dataset`. Relative paths start at the working directory, as they do on the command
/// line.
///
/// @param modelNameOrPath     folder of the base model in Hugging Face's layout, or `org/name` of a hub
/// @param tokenizerNameOrPath folder or `tokenizer.json` of another tokenizer, chat template included, than the model's
/// @param torchDtype          dtype of the weights in memory; empty is that of the files
/// @param fullFinetuning      train every weight instead of adapters
/// @param fromScratch         train fresh weights; the folder gives configuration and tokenizer only
/// @param addTokens           tokens that the tokenizer gets, and the embedding rows for
/// @param addSpecialTokens    the same for special tokens, such as the marks of a chat template
/// @param eosToken            token that ends texts and generation, in place of the tokenizer's
/// @param ropeScaling         in place of the model's own rotary embedding, to extend its context
/// @param onHost              weights that stay in host memory: `offload_embedding`, `streamed_layers`
/// @param quantization        of the base model, while it is loaded
/// @param training            options of the trainer
/// @param lora                the adapters; unused with `fullFinetuning`
/// @param dataset             what to train and evaluate on
/// @param scripts             functions of people's own
public record TrainConfig(Path modelNameOrPath, Optional<Path> tokenizerNameOrPath, Optional<DType> torchDtype,
                          boolean fullFinetuning, boolean fromScratch, List<String> addTokens, List<String> addSpecialTokens,
                          Optional<String> eosToken, Optional<RopeScaling> ropeScaling, HostWeights onHost,
                          QuantizationOptions quantization, SftConfig training, LoraConfig lora, DatasetConfig dataset,
                          ScriptOptions scripts) {

    /// Other names of keys that people bring from elsewhere.
    private static final Map<String, String> ALIASES = Map.of("warmup_ratio", "warmup_steps",
            "evaluation_strategy", "eval_strategy", "max_seq_length", "max_length", "dtype", "torch_dtype");

    /// What an adapter file says about its origin; in a run, the base model is known.
    private static final Set<String> NOT_CHOSEN = Set.of("task_type", "base_model_name_or_path", "revision");

    private static final List<String> EMBEDDINGS = List.of("embed_tokens", "lm_head");

    private static final Path MISSING = Path.of("");

    private static final RecordBinder BINDER = new RecordBinder(Map.of(
            ModuleNames.class, TrainConfig::moduleNames, InitLoraWeights.class, TrainConfig::init,
            TokenIndices.class, TrainConfig::tokenIndices,
            LoftqConfig.class, section(LoftqConfig.DEFAULT), EvaConfig.class, section(EvaConfig.DEFAULT),
            Checkpointing.class, TrainConfig::checkpointing, OptimArgs.class, TrainConfig::optimArgs,
            RopeScaling.class, TrainConfig::ropeScaling, DataFiles.class, TrainConfig::dataFiles));

    /// The keys at the top that are not `SftConfig`'s.
    private record Model(Path modelNameOrPath, Optional<Path> tokenizerNameOrPath, String torchDtype,
                         boolean fullFinetuning, boolean fromScratch, List<String> addTokens,
                         List<String> addSpecialTokens, Optional<String> eosToken, Optional<RopeScaling> ropeScaling,
                         boolean offloadEmbedding, int streamedLayers, Optional<Path> computeMetrics) {
        static final Model DEFAULTS = new Model(MISSING, Optional.empty(), "auto", false, false, List.of(), List.of(),
                Optional.empty(), Optional.empty(), false, 0, Optional.empty());
    }

    /// Whether there are tokens to add.
    public boolean addsTokens() {
        return !addTokens.isEmpty() || !addSpecialTokens.isEmpty();
    }

    /// The adapters, with embedding and head trained whole where tokens are added and `lora` says nothing else of them:
    /// nobody has trained their rows before.
    public LoraConfig adapters() {
        boolean chosen = lora.modulesToSave().stream().anyMatch(EMBEDDINGS::contains);
        if (!addsTokens() || chosen || !lora.trainableTokenIndices().isEmpty()) return lora;
        List<String> whole = new ArrayList<>(lora.modulesToSave());
        whole.addAll(EMBEDDINGS);
        return lora.toBuilder().modulesToSave(whole.toArray(String[]::new)).build();
    }

    /// The keys of `dataset` that are not `DatasetConfig`'s.
    private record Rows(Optional<Path> formattingFunc) {
        static final Rows DEFAULTS = new Rows(Optional.empty());
    }

    /// Reads a file.
    ///
    /// @param overrides `key=value` or `section.key=value`, as in the file
    /// Throws: InputException when the file is missing or no YAML, a key is unknown, or a value is wrong.
    public static TrainConfig load(Path file, List<String> overrides) {
        try {
            return parse(Files.readString(file), file.toString(), overrides);
        } catch (CharacterCodingException e) {
            throw new InputException("%s is not UTF-8 text: give the path of a YAML file".formatted(file), e);
        } catch (IOException e) {
            throw new InputException("%s cannot be read: give the path of a YAML file".formatted(file), e);
        }
    }

    /// The same with other places of model, tokenizer and rows.
    ///
    /// @param model where a model or tokenizer is, from what the file says
    /// @param rows  where a dataset is
    public TrainConfig located(UnaryOperator<Path> model, UnaryOperator<Path> rows) {
        return new TrainConfig(model.apply(modelNameOrPath), tokenizerNameOrPath.map(model), torchDtype, fullFinetuning,
                fromScratch, addTokens, addSpecialTokens, eosToken, ropeScaling, onHost, quantization, training, lora,
                dataset.located(rows), scripts);
    }

    static TrainConfig parse(String text, String file, List<String> overrides) {
        Map<String, ConfigValue> top = canonical(YamlReader.read(text, file));
        for (String override : overrides) set(top, override);
        resolveResume(top);
        Map<String, ConfigValue> lora = section(top, "lora");
        Map<String, ConfigValue> dataset = section(top, "dataset");
        requireKnown("", top, List.of(RecordBinder.keys(Model.class), RecordBinder.keys(SftConfig.class),
                RecordBinder.keys(QuantizationOptions.class), List.of("lora", "dataset")));
        requireKnown("dataset.", dataset, List.of(RecordBinder.keys(DatasetConfig.class), RecordBinder.keys(Rows.class)));
        requireKnown("lora.", lora, List.of(RecordBinder.keys(LoraConfig.class).stream()
                .filter(key -> !NOT_CHOSEN.contains(key)).toList()));
        Model model = BINDER.bind(Model.DEFAULTS, top);
        requireGiven(model.modelNameOrPath, file, "model_name_or_path", "the folder of a Hugging Face model");
        DatasetConfig data = BINDER.bind(DatasetConfig.of(MISSING), dataset);
        requireGiven(data.path(), file, "dataset.path", "a file or folder of rows to train on");
        if ((model.fullFinetuning || model.fromScratch) && !lora.isEmpty()) {
            throw new InputException("%s: %s trains no adapters: leave out one of the two".formatted(
                    top.get("lora").place(), model.fullFinetuning ? "full_finetuning" : "from_scratch"));
        }
        if (model.fromScratch && model.ropeScaling.isPresent()) {
            throw new InputException("%s: from_scratch has no context to extend: write rope_scaling into the config.json"
                    .formatted(top.get("rope_scaling").place()));
        }
        QuantizationOptions quantization = BINDER.bind(QuantizationOptions.NONE, top);
        if ((model.fullFinetuning || model.fromScratch) && quantization.isActive()) {
            throw new InputException("%s: quantized weights cannot be trained: leave out %s, or train an adapter".formatted(
                    top.get(quantization.loadIn8bit() ? "load_in_8bit" : "load_in_4bit").place(),
                    model.fullFinetuning ? "full_finetuning" : "from_scratch"));
        }
        return new TrainConfig(model.modelNameOrPath, model.tokenizerNameOrPath,
                Optional.ofNullable(dtype(model.torchDtype, top)), model.fullFinetuning, model.fromScratch,
                model.addTokens, model.addSpecialTokens, model.eosToken, model.ropeScaling, onHost(model, top), quantization,
                BINDER.bind(SftConfig.builder().build(), top), BINDER.bind(LoraConfig.builder().build(), lora), data,
                new ScriptOptions(BINDER.bind(Rows.DEFAULTS, dataset).formattingFunc, model.computeMetrics));
    }

    private static HostWeights onHost(Model model, Map<String, ConfigValue> top) {
        HostWeights onHost = new HostWeights(model.offloadEmbedding, model.streamedLayers);
        if ((model.fullFinetuning || model.fromScratch) && !onHost.equals(HostWeights.NONE)) {
            throw new InputException("%s: weights that are trained stay on the device: leave it out, or train an adapter"
                    .formatted(
                    top.get(model.offloadEmbedding ? "offload_embedding" : "streamed_layers").place()));
        }
        return onHost;
    }

    private static void requireGiven(Path value, String file, String key, String remedy) {
        if (!value.equals(MISSING)) return;
        throw new InputException("%s: %s is missing: set it to %s".formatted(file, key, remedy));
    }

    private static Map<String, ConfigValue> section(Map<String, ConfigValue> top, String name) {
        ConfigValue section = top.get(name);
        return section == null || section.value() == null ? Map.of() : section.section(name);
    }

    private static void set(Map<String, ConfigValue> top, String override) {
        String[] keyAndValue = override.split("=", 2);
        String[] path = keyAndValue[0].strip().split("\\.");
        String place = "--set " + keyAndValue[0];
        if (keyAndValue.length < 2 || path.length > 2 || path[0].isEmpty()) {
            throw new InputException("--set " + override + ": write key=value or section.key=value");
        }
        Map<String, ConfigValue> given = new LinkedHashMap<>();
        given.put(path[path.length - 1], YamlReader.value(keyAndValue[1], place));
        if (path.length == 1) {
            top.putAll(canonical(given));
        } else {
            Map<String, ConfigValue> section = new LinkedHashMap<>(section(top, path[0]));
            section.putAll(given);
            top.put(path[0], new ConfigValue(section, place));
        }
    }

    /// Gives aliases their proper names.
    private static Map<String, ConfigValue> canonical(Map<String, ConfigValue> top) {
        Map<String, ConfigValue> canonical = new LinkedHashMap<>();
        top.forEach((key, value) -> {
            String name = ALIASES.getOrDefault(key, key);
            if (key.equals("warmup_ratio") && value.value() instanceof Number ratio && ratio.doubleValue() >= 1) {
                throw value.wrong(key, "a share of the run in [0, 1)");
            }
            ConfigValue earlier = canonical.put(name, value);
            if (earlier != null) {
                throw new InputException("%s: %s and the key in %s are one option: leave out one of them"
                        .formatted(value.place(), key, earlier.place()));
            }
        });
        return canonical;
    }

    /// `true` stands for the newest checkpoint of the run's own folder.
    private static void resolveResume(Map<String, ConfigValue> top) {
        ConfigValue resume = top.get("resume_from_checkpoint");
        if (resume == null || !(resume.value() instanceof Boolean wanted)) return;
        ConfigValue own = new ConfigValue(SftConfig.builder().build().outputDir().toString(), resume.place());
        if (wanted) top.put("resume_from_checkpoint", top.getOrDefault("output_dir", own));
        else top.remove("resume_from_checkpoint");
    }

    private static void requireKnown(String prefix, Map<String, ConfigValue> section, List<List<String>> known) {
        Set<String> names = new LinkedHashSet<>();
        known.forEach(names::addAll);
        section.forEach((key, value) -> {
            if (names.contains(key)) return;
            String nearest = InputException.nearest(key, names);
            throw new InputException("%s: unknown key '%s%s', %s".formatted(value.place(), prefix, key, nearest == null
                    ? "the known ones are " + String.join(", ", names) : "did you mean '" + prefix + nearest + "'?"));
        });
    }

    private static DType dtype(String name, Map<String, ConfigValue> top) {
        try {
            return LoadOptions.dtype(name);
        } catch (InputException e) {
            throw new InputException("%s: torch_dtype: %s"
                    .formatted(top.get("torch_dtype").place(), e.getMessage()), e);
        }
    }

    private static ModuleNames pattern(String key, ConfigValue given, String pattern) {
        try {
            return ModuleNames.matching(pattern);
        } catch (InputException e) {
            throw new InputException("%s: %s: %s".formatted(given.place(), key, e.getMessage()), e);
        }
    }

    private static ModuleNames moduleNames(String key, ConfigValue given) {
        if (given.value() instanceof String pattern) return pattern(key, given, pattern);
        List<String> names = new ArrayList<>();
        for (ConfigValue name : given.list()) {
            if (!(name.value() instanceof String text)) {
                throw given.wrong(key, "a list of names, a regular expression or all-linear");
            }
            names.add(text);
        }
        return ModuleNames.of(names.toArray(String[]::new));
    }

    /// A list of token ids, or such lists by module.
    private static TokenIndices tokenIndices(String key, ConfigValue given) {
        if (!(given.value() instanceof Map)) return new TokenIndices(tokens(key, given), Map.of());
        Map<String, List<Integer>> byModule = new LinkedHashMap<>();
        given.section(key).forEach((module, ids) -> byModule.put(module, tokens(key + "." + module, ids)));
        return new TokenIndices(List.of(), byModule);
    }

    private static List<Integer> tokens(String key, ConfigValue given) {
        List<Integer> ids = new ArrayList<>();
        for (ConfigValue element : given.list()) {
            boolean fits = element.value() instanceof Long id && id >= 0 && id <= Integer.MAX_VALUE;
            if (!fits) throw element.wrong(key, "a list of token ids");
            ids.add(((Long) element.value()).intValue());
        }
        return ids;
    }

    /// Text as Transformers takes it, or a section.
    private static OptimArgs optimArgs(String key, ConfigValue given) {
        if (given.value() instanceof Map) {
            Map<String, Object> values = new LinkedHashMap<>();
            given.section(key).forEach((name, value) -> values.put(name, value.plain()));
            return new OptimArgs(values);
        }
        if (!(given.value() instanceof String text)) throw given.wrong(key, "text such as rank=64, scale=0.25, or a section");
        try {
            return OptimArgs.parse(text);
        } catch (InputException e) {
            throw new InputException(given.place() + ": " + e.getMessage(), e);
        }
    }

    private static RopeScaling ropeScaling(String key, ConfigValue given) {
        Map<String, Object> values = new LinkedHashMap<>();
        given.section(key).forEach((name, value) -> values.put(name, value.plain()));
        try {
            return new RopeScaling(values);
        } catch (InputException e) {
            throw new InputException(given.place() + ": " + e.getMessage(), e);
        }
    }

    private static InitLoraWeights init(String key, ConfigValue given) {
        return InitLoraWeights.of(given.value()).orElseThrow(() -> given.wrong(key, InitLoraWeights.EXPECTED));
    }

    /// The reader of a section inside of `lora`.
    private static BiFunction<String, ConfigValue, Object> section(Record defaults) {
        return (key, given) -> {
            Map<String, ConfigValue> section = given.section(key);
            requireKnown("lora." + key + ".", section, List.of(RecordBinder.keys(defaults.getClass())));
            return new RecordBinder(Map.of()).bind(defaults, section);
        };
    }

    private static DataFiles dataFiles(String key, ConfigValue given) {
        return DataFiles.of(given.plain(), given.place() + ": " + key);
    }

    private static Checkpointing checkpointing(String key, ConfigValue given) {
        return switch (given.value()) {
            case Boolean all -> all ? Checkpointing.LAYER : Checkpointing.NONE;
            case String name when name.equalsIgnoreCase("selective") -> Checkpointing.SELECTIVE;
            default -> throw given.wrong(key, "true, false or selective");
        };
    }
}
