package dev.gale.optim;

import dev.gale.tensor.InputException;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/// Numbers that hold for all groups of an optimizer, by the names of `TrainingArguments`.
///
/// @param beta1         `adam_beta1`, decay of the mean of gradients, in [0, 1); Lion's first beta too
/// @param beta2         `adam_beta2`, decay of the mean of squared gradients, in [0, 1); Lion's second beta too
/// @param eps           `adam_epsilon`, keeps the division finite, >= 0
/// @param warmupSteps   `warmup_steps`, for an optimizer that warms up by itself
/// @param seed          of random directions
/// @param args          `optim_args`
/// @param targetModules `optim_target_modules`, which matrices GaLore projects: parts of module names, regular expressions of
///                      whole ones, or `all-linear`
public record OptimizerSettings(double beta1, double beta2, double eps, int warmupSteps, long seed, OptimArgs args,
                                List<String> targetModules) {
    private static final String ALL_LINEAR = "all-linear";

    /// 0.9, 0.999, 1e-8 and nothing else.
    public static final OptimizerSettings DEFAULT =
            new OptimizerSettings(0.9, 0.999, 1e-8, 0, 42, OptimArgs.NONE, List.of(ALL_LINEAR));

    public OptimizerSettings {
        requireDecay("adam_beta1", beta1);
        requireDecay("adam_beta2", beta2);
        if (!(eps >= 0)) throw new InputException("adam_epsilon must be >= 0, got " + eps);
        targetModules = List.copyOf(targetModules);
        targetModules.forEach(OptimizerSettings::pattern);
    }

    private static void requireDecay(String name, double beta) {
        if (!(beta >= 0 && beta < 1)) throw new InputException(name + " must be in [0, 1), got " + beta);
    }

    private static Pattern pattern(String expression) {
        try {
            return Pattern.compile(expression);
        } catch (PatternSyntaxException e) {
            throw new InputException("optim_target_modules: '%s' is no regular expression: %s".formatted(expression,
                    e.getDescription()), e);
        }
    }

    /// The same with other `optim_args`.
    public OptimizerSettings with(OptimArgs args) {
        return new OptimizerSettings(beta1, beta2, eps, warmupSteps, seed, args, targetModules);
    }

    /// Whether a module's weight is among the targets.
    boolean targets(String parameter) {
        String module = parameter.replaceFirst("\\.[^.]*$", "");
        for (String target : targetModules) {
            boolean all = target.replace('_', '-').equals(ALL_LINEAR) && !module.endsWith("embed_tokens");
            if (all || module.contains(target) || pattern(target).matcher(module).matches()) return true;
        }
        return false;
    }
}
