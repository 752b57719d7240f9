package dev.gale.peft;

import dev.gale.nn.CausalLm;
import dev.gale.nn.Mixture;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// Which modules of a model a configuration means, by PEFT's rules.
/// Source: peft `tuners/tuners_utils.py` (`check_target_module_exists`), `utils/other.py` (`_set_trainable`).
final class LoraTargets {
    private static final Pattern ANY_LAYER = Pattern.compile(".*?\\.[^.]*\\.(\\d+)\\.");
    private static final String HEAD = "lm_head";
    private static final String ALONE = "model";
    private static final String BIAS = ".bias";
    private static final ModuleNames DEFAULT = ModuleNames.of("q_proj", "v_proj");
    private static final ModuleNames DEFAULT_OF_PHI = ModuleNames.of("q_proj", "v_proj", "fc1", "fc2");

    private final LoraConfig config;
    private final CausalLm model;
    private final ModuleNames targets;
    private final ParameterTargets parameters;
    private final boolean fused;
    private final Set<String> modules;               // paths of projections that target_modules reaches

    LoraTargets(LoraConfig config, CausalLm model) {
        this(config, model, !config.targetParameters().isEmpty());
    }

    /// @param fused whether the experts of a layer are parameters of one module, as in Transformers 5, and no modules
    LoraTargets(LoraConfig config, CausalLm model, boolean fused) {
        this.config = config;
        this.model = model;
        this.fused = fused;
        targets = config.targetModules() != null ? config.targetModules() : byDefault();
        parameters = new ParameterTargets(config, model);
        modules = model.projections().keySet().stream().filter(this::isModule)
                .collect(Collectors.toCollection(LinkedHashSet::new));
    }

    private ModuleNames byDefault() {
        if (fused && model.config().variant().mixture() != null) return ModuleNames.NONE;
        return model.config().architecture().equals("PhiForCausalLM") ? DEFAULT_OF_PHI : DEFAULT;
    }

    private boolean isModule(String path) {
        Mixture mixture = model.config().variant().mixture();
        boolean bareRouter = mixture != null && !mixture.linearGate() && path.endsWith(".gate");
        return !bareRouter && !(fused && model.isExpert(path));
    }

    /// The parameters that are adapted.
    ParameterTargets parameters() {
        return parameters;
    }

    /// Whether experts are one module a layer.
    boolean fused() {
        return fused;
    }

    /// Paths of the projections to adapt, in the model's order, without those that have a parameter in common.
    /// Throws: InputException when there is nothing to adapt, a name fits nothing, or the head is meant.
    List<String> adapted() {
        requireNoHead();
        for (String name : targets.names()) {
            if (ModuleNames.endsWith(EmbeddingLora.path(model), name)) continue;
            if (modules.stream().noneMatch(path -> ModuleNames.endsWith(path, name))) {
                throw InputException.unknown("module in target_modules of the adapter", name, lastParts(modules));
            }
        }
        Set<String> matrices = parameters.matrices().keySet();
        List<String> adapted = model.projections().keySet().stream()
                .filter(path -> modules.contains(path) && isAdapted(path) || matrices.contains(path)).toList();
        if (adapted.isEmpty() && parameters.isEmpty() && !adaptsEmbedding()) {
            throw new InputException("target_modules %s chooses no module of this model after exclude_modules, "
                    .formatted(targets) + "modules_to_save and layers_to_transform; its modules are "
                    + String.join(", ", lastParts(modules)));
        }
        return adapted;
    }

    /// Whether the embedding is adapted: it belongs to no layer and is not linear.
    /// Throws: InputException when DoRA is asked for, which it does not take.
    boolean adaptsEmbedding() {
        boolean adapts = !targets.isAllLinear() && isAdapted(EmbeddingLora.path(model));
        if (adapts && (config.useDora() || config.loraBias())) {
            throw new InputException("target_modules %s means the embedding, which takes no %s; leave out one of them"
                    .formatted(targets, config.useDora() ? "use_dora" : "lora_bias"));
        }
        return adapts;
    }

    private void requireNoHead() {
        if (targets.isAllLinear() || !targets.matches(HEAD) || isExcluded(HEAD)) return;
        throw new InputException("target_modules %s means %s, but a head takes no LoRA; train it whole with modules_to_save"
                .formatted(targets, HEAD));
    }

    private boolean isAdapted(String path) {
        return !isExcluded(path) && targets.matches(path) && (config.layersToTransform().isEmpty() || inLayers(path));
    }

    private boolean isExcluded(String path) {
        if (config.excludeModules() != null && config.excludeModules().matches(path)) return true;
        return config.modulesToSave().stream().anyMatch(name -> path.matches("(^|.*\\.)" + name + "($|\\..*)"));
    }

    private boolean inLayers(String path) {
        List<Pattern> patterns = config.layersPattern().isEmpty() ? List.of(ANY_LAYER) : config.layersPattern().stream()
                .map(name -> Pattern.compile("(?:^|.*?\\.)" + name + "\\.(\\d+)\\.")).toList();
        for (Pattern pattern : patterns) {
            Matcher matcher = pattern.matcher(path);
            if (matcher.lookingAt()) return config.layersToTransform().contains(Integer.valueOf(matcher.group(1)));
        }
        return false;
    }

    /// The target modules as a list, so that readers need not know this model to resolve a default or `all-linear`. Of a
    /// language model within another one as a pattern, since names would mean modules of the other parts, too.
    ModuleNames resolved() {
        boolean chosen = config.targetModules() != null && !targets.isAllLinear();
        if (chosen && targets.names().isEmpty()) return targets;
        List<String> names = chosen ? targets.names()
                : List.copyOf(lastParts(modules.stream().filter(this::isAdapted).toList()));
        String embedding = EmbeddingLora.path(model);
        String root = embedding.substring(0, embedding.lastIndexOf('.'));
        if (root.equals(ALONE)) return chosen ? targets : new ModuleNames(names, null);
        return ModuleNames.matching("%s\\..*\\b(%s)".formatted(root.replace(".", "\\."), String.join("|",
                names.stream().map(name -> name.replace(".", "\\.")).toList())));
    }

    private static Set<String> lastParts(Iterable<String> paths) {
        Set<String> parts = new LinkedHashSet<>();
        for (String path : paths) parts.add(path.substring(path.lastIndexOf('.') + 1));
        return parts;
    }

    /// Name of a projection's parameter by which patterns of rank and alpha know it, or its path.
    String patternName(String path) {
        return parameters.matrices().getOrDefault(path, path);
    }

    /// Names of the parameters that are trained and saved whole.
    /// Throws: InputException when an entry of modules_to_save fits no module.
    List<String> savedWhole() {
        List<String> names = new ArrayList<>(model.parameters().stream().map(Parameter::name).toList());
        if (!names.contains("lm_head.weight")) names.add("lm_head.weight");                  // tied to the embedding
        for (String entry : config.modulesToSave()) {
            if (names.stream().noneMatch(name -> isInside(name, entry))) {
                throw InputException.unknown("module in modules_to_save of the adapter", entry, modules(names));
            }
        }
        return names.stream()
                .filter(name -> config.modulesToSave().stream().anyMatch(entry -> isInside(name, entry))).toList();
    }

    /// True when a parameter belongs to a module whose path ends in the entry.
    private static boolean isInside(String parameter, String entry) {
        for (int dot = parameter.lastIndexOf('.'); dot > 0; dot = parameter.lastIndexOf('.', dot - 1)) {
            if (parameter.substring(0, dot).endsWith(entry)) return true;
        }
        return false;
    }

    private static Set<String> modules(List<String> parameters) {
        return lastParts(parameters.stream().map(name -> name.substring(0, name.lastIndexOf('.'))).toList());
    }

    /// Names of the biases that are trained.
    List<String> trainedBiases(List<String> adapted) {
        List<String> biases = model.parameters().stream().map(Parameter::name).filter(n -> n.endsWith(BIAS)).toList();
        return switch (config.bias()) {
            case NONE -> List.of();
            case ALL -> biases;
            case LORA_ONLY -> biases.stream()
                    .filter(name -> adapted.contains(name.substring(0, name.length() - BIAS.length()))).toList();
        };
    }
}
