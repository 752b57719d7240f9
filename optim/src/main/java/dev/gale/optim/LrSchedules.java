package dev.gale.optim;

import dev.gale.tensor.InputException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The table of schedules by name, each with the options it takes.
final class LrSchedules {
    private static final List<String> SHAPES = List.of("linear", "cosine", "1-sqrt");
    private static final Map<String, Recipe> RECIPES = recipes();

    private LrSchedules() {}

    /// What a schedule is made from.
    private record Run(double learningRate, double warmup, double total) {
        /// A minimum given as a rate (`min_lr`) or as a share of the peak (`min_lr_rate`), as a share.
        double floor(NamedOptions options) {
            if (options.has("min_lr") == options.has("min_lr_rate")) {
                throw new InputException("%s needs exactly one of min_lr and min_lr_rate in lr_scheduler_kwargs"
                        .formatted(options.owner()));
            }
            if (options.has("min_lr_rate")) return options.number("min_lr_rate", 0);
            return options.number("min_lr", 0) / learningRate;
        }
    }

    private record Recipe(List<String> options, Maker maker) {}

    @FunctionalInterface
    private interface Maker {
        LrSchedule make(Run run, NamedOptions options);
    }

    @FunctionalInterface
    private interface CurveMaker {
        LrCurve.Factor make(Run run, NamedOptions options);
    }

    private static Recipe curve(CurveMaker maker, String... options) {
        return new Recipe(List.of(options), (run, given) -> new LrCurve(run.learningRate, maker.make(run, given)));
    }

    private static Map<String, Recipe> recipes() {
        Map<String, Recipe> recipes = new LinkedHashMap<>();
        recipes.put("linear", curve((run, o) -> LrCurve.linear(run.warmup, run.total)));
        recipes.put("cosine", curve((run, o) ->
                LrCurve.cosine(run.warmup, run.total, o.number("num_cycles", 0.5), 0), "num_cycles"));
        recipes.put("cosine_with_restarts", curve((run, o) ->
                LrCurve.cosineWithRestarts(run.warmup, run.total, o.number("num_cycles", 1)), "num_cycles"));
        recipes.put("polynomial", curve(LrSchedules::polynomial, "lr_end", "power"));
        recipes.put("constant", curve((run, o) -> step -> 1));
        recipes.put("constant_with_warmup", curve((run, o) -> LrCurve.warmedUp(run.warmup, step -> 1)));
        recipes.put("inverse_sqrt", curve(LrSchedules::inverseSqrt, "timescale"));
        recipes.put("reduce_lr_on_plateau",
                new Recipe(ReduceOnPlateau.OPTIONS, (run, o) -> new ReduceOnPlateau(run.learningRate, o)));
        recipes.put("cosine_with_min_lr", curve((run, o) ->
                LrCurve.cosine(run.warmup, run.total, o.number("num_cycles", 0.5), run.floor(o)),
                "num_cycles", "min_lr", "min_lr_rate"));
        recipes.put("cosine_warmup_with_min_lr", curve((run, o) ->
                LrCurve.cosineAhead(run.warmup, run.total, o.number("num_cycles", 0.5), run.floor(o),
                        o.number("warmup_lr_rate", Double.NaN)),
                "num_cycles", "min_lr", "min_lr_rate", "warmup_lr_rate"));
        recipes.put("warmup_stable_decay", curve(LrSchedules::warmupStableDecay, "num_decay_steps", "num_stable_steps",
                "warmup_type", "decay_type", "min_lr_ratio", "num_cycles"));
        recipes.put("greedy", new Recipe(GreedyLr.OPTIONS, (run, o) -> new GreedyLr(run.learningRate, o)));
        return recipes;
    }

    static List<String> names() {
        return List.copyOf(RECIPES.keySet());
    }

    static LrSchedule create(String name, double learningRate, long warmupSteps, long totalSteps,
                             Map<String, ?> options) {
        Recipe recipe = RECIPES.get(name);
        if (recipe == null) throw InputException.unknown("lr_scheduler_type", name, names());
        if (!(learningRate > 0 && Double.isFinite(learningRate))) {
            throw new InputException("learning_rate must be a positive number, got " + learningRate);
        }
        Run run = new Run(learningRate, warmupSteps, totalSteps);
        return recipe.maker.make(run, new NamedOptions(name, "lr_scheduler_kwargs", recipe.options, options));
    }

    private static LrCurve.Factor polynomial(Run run, NamedOptions options) {
        double end = options.number("lr_end", 1e-7);
        if (!(end < run.learningRate)) {
            throw new InputException("polynomial: lr_end %s must be smaller than learning_rate %s"
                    .formatted(end, run.learningRate));
        }
        return LrCurve.polynomial(run.warmup, run.total, options.number("power", 1), end / run.learningRate);
    }

    private static LrCurve.Factor inverseSqrt(Run run, NamedOptions options) {
        double timescale = options.number("timescale", run.warmup > 0 ? run.warmup : 10_000);
        if (!(timescale > 0)) throw new InputException("inverse_sqrt: timescale must be positive, got " + timescale);
        return LrCurve.inverseSqrt(run.warmup, timescale);
    }

    private static LrCurve.Factor warmupStableDecay(Run run, NamedOptions options) {
        if (!options.has("num_decay_steps")) {
            throw new InputException("warmup_stable_decay needs num_decay_steps in lr_scheduler_kwargs");
        }
        double decay = options.count("num_decay_steps", 0);
        double left = run.total - run.warmup - decay;
        double stable = options.has("num_stable_steps") ? options.count("num_stable_steps", 0) : left;
        LrCurve.Factor down = switch (options.choice("decay_type", "cosine", SHAPES)) {
            case "linear" -> share -> 1 - share;
            case "cosine" -> cosineDown(options.number("num_cycles", 0.5));
            default -> share -> 1 - Math.sqrt(share);
        };
        LrCurve.Factor up = switch (options.choice("warmup_type", "linear", SHAPES)) {
            case "linear" -> share -> share;
            case "cosine" -> share -> 0.5 * (1 - Math.cos(Math.PI * share));
            default -> share -> 1 - Math.sqrt(1 - share);
        };
        return LrCurve.warmupStableDecay(run.warmup, stable, decay, up, down, options.number("min_lr_ratio", 0));
    }

    private static LrCurve.Factor cosineDown(double cycles) {
        return share -> 0.5 * (1 + Math.cos(Math.PI * cycles * 2 * share));
    }
}
