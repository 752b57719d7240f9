package dev.gale.optim;

import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.ops.TensorOps;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/// The table of optimizers by name, each with the options it takes in `optim_args`.
final class Optimizers {
    private static final Map<String, Recipe> RECIPES = recipes();

    private Optimizers() {}

    /// Makes the rule of each parameter.
    @FunctionalInterface
    private interface Maker {
        Function<Parameter, UpdateRule> rules(OptimizerSettings settings, NamedOptions options);
    }

    private record Recipe(boolean paged, List<String> options, Maker maker) {}

    private static Recipe recipe(Maker maker, String... options) {
        return new Recipe(false, List.of(options), maker);
    }

    private static Recipe paged(Maker maker) {
        return new Recipe(true, List.of(), maker);
    }

    private static Map<String, Recipe> recipes() {
        Map<String, Recipe> recipes = new LinkedHashMap<>();
        recipes.put("adamw_torch", recipe((s, o) -> adamW(s, AdamW.Form.TORCH)));
        recipes.put("adamw_torch_fused", recipes.get("adamw_torch"));
        recipes.put("adamw_8bit", recipe((s, o) -> adamW8bit(s)));
        recipes.put("adamw_bnb_8bit", recipes.get("adamw_8bit"));
        recipes.put("paged_adamw_8bit", paged((s, o) -> adamW8bit(s)));
        recipes.put("paged_adamw_32bit", paged((s, o) -> adamW(s, AdamW.Form.DECAY_LAST)));
        recipes.put("lion_32bit", recipe((s, o) -> lion(s)));
        recipes.put("lion_8bit", recipe((s, o) -> lion8bit(s)));
        recipes.put("paged_lion_32bit", paged((s, o) -> lion(s)));
        recipes.put("paged_lion_8bit", paged((s, o) -> lion8bit(s)));
        recipes.put("adafactor", recipe(Optimizers::adafactor, "decay_rate", "clip_threshold"));
        recipes.put("sgd", recipe(Optimizers::sgd, "momentum"));
        recipes.put("galore_adamw", recipe(Optimizers::galore, "rank", "update_proj_gap", "scale", "proj_type"));
        recipes.put("schedule_free_adamw", recipe(Optimizers::scheduleFree, "r", "weight_lr_power"));
        return recipes;
    }

    static List<String> names() {
        return List.copyOf(RECIPES.keySet());
    }

    private static Recipe find(String name) {
        Recipe recipe = RECIPES.get(name);
        if (recipe != null) return recipe;
        String part = names().stream().filter(known -> known.contains(name)).findFirst().orElse(null);
        if (part == null || InputException.nearest(name, names()) != null) throw InputException.unknown("optim", name, names());
        throw new InputException("unknown optim '%s'; did you mean '%s'? (known: %s)".formatted(name, part,
                String.join(", ", names())));
    }

    private static Function<Parameter, UpdateRule> rules(String name, Recipe recipe, OptimizerSettings settings) {
        return recipe.maker.rules(settings, new NamedOptions(name, "optim_args", recipe.options, settings.args().values()));
    }

    static void check(String name, OptimizerSettings settings) {
        rules(name, find(name), settings);
    }

    static Optimizer create(String name, TensorOps ops, List<ParamGroup> groups, OptimizerSettings settings) {
        Recipe recipe = find(name);
        return new StatefulOptimizer(ops, groups, rules(name, recipe, settings), recipe.paged);
    }

    private static Function<Parameter, UpdateRule> adamW(OptimizerSettings s, AdamW.Form form) {
        UpdateRule rule = new AdamW.Rule(s.beta1(), s.beta2(), s.eps(), form);
        return parameter -> rule;
    }

    private static Function<Parameter, UpdateRule> adamW8bit(OptimizerSettings s) {
        UpdateRule rule = new EightBit.AdamWRule(s.beta1(), s.beta2(), s.eps());
        UpdateRule small = new AdamW.Rule(s.beta1(), s.beta2(), s.eps(), AdamW.Form.DECAY_LAST);
        return parameter -> EightBit.suits(parameter) ? rule : small;
    }

    private static Function<Parameter, UpdateRule> lion(OptimizerSettings s) {
        UpdateRule rule = new Lion(s.beta1(), s.beta2());
        return parameter -> rule;
    }

    private static Function<Parameter, UpdateRule> lion8bit(OptimizerSettings s) {
        Lion small = new Lion(s.beta1(), s.beta2());
        UpdateRule rule = new EightBit.LionRule(small);
        return parameter -> EightBit.suits(parameter) ? rule : small;
    }

    private static Function<Parameter, UpdateRule> adafactor(OptimizerSettings s, NamedOptions options) {
        double clip = options.number("clip_threshold", 1);
        if (!(clip > 0)) throw new InputException("adafactor: clip_threshold must be above 0, got " + clip);
        double rate = options.number("decay_rate", -0.8);
        if (!(rate < 0)) throw new InputException("adafactor: decay_rate must be below 0, got " + rate);
        UpdateRule rule = new Adafactor(rate, clip);
        return parameter -> rule;
    }

    private static Function<Parameter, UpdateRule> sgd(OptimizerSettings s, NamedOptions options) {
        double momentum = options.number("momentum", 0);
        if (!(momentum >= 0)) throw new InputException("sgd: momentum must be at least 0, got " + momentum);
        UpdateRule rule = new Sgd(momentum);
        return parameter -> rule;
    }

    private static Function<Parameter, UpdateRule> galore(OptimizerSettings s, NamedOptions options) {
        options.choice("proj_type", "std", List.of("std"));
        UpdateRule plain = new AdamW.Rule(s.beta1(), s.beta2(), s.eps(), AdamW.Form.EPS_FIRST);
        UpdateRule rule = new GaLore(s.beta1(), s.beta2(), s.eps(), (int) count(options, "rank", 128),
                (int) count(options, "update_proj_gap", 200), options.number("scale", 0.25), s.seed());
        return parameter -> parameter.value().shape().rank() == 2 && s.targets(parameter.name()) ? rule : plain;
    }

    private static long count(NamedOptions options, String name, long fallback) {
        long count = options.count(name, fallback);
        if (count >= 1 && count <= Integer.MAX_VALUE) return count;
        throw new InputException("%s: %s must be at least 1, got %d".formatted(options.owner(), name, count));
    }

    private static Function<Parameter, UpdateRule> scheduleFree(OptimizerSettings s, NamedOptions options) {
        if (s.beta1() == 0) {
            throw new InputException("schedule_free_adamw needs adam_beta1 above 0: it is the share of the average");
        }
        UpdateRule rule = new ScheduleFree(s.beta1(), s.beta2(), s.eps(), s.warmupSteps(), options.number("r", 0),
                options.number("weight_lr_power", 2));
        return parameter -> rule;
    }
}
