package dev.gale.peft;

import dev.gale.nn.CausalLm;
import dev.gale.nn.HostWeights;
import dev.gale.nn.Linear;
import dev.gale.nn.Projection;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.quant.Nf4;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// What an adapter's configuration and a model must be to go together, beside what `LoraTargets` finds.
final class AdapterChecks {
    private static final System.Logger LOG = System.getLogger(PeftModel.class.getName());

    private AdapterChecks() {}

    /// Throws: IllegalStateException when there is an adapter already.
    static void requireBare(CausalLm model) {
        for (Projection projection : model.projections().values()) {
            if (!(projection instanceof Linear)) {
                throw new IllegalStateException(projection.path() + " is no plain layer; close its adapter first");
            }
        }
    }

    /// @param adapted paths of projections
    /// @param trained names of parameters that are trained whole
    /// Throws: InputException when a module is both.
    static void requireDisjoint(List<String> adapted, Set<String> trained) {
        for (String path : adapted) {
            if (trained.contains(path + ".weight")) {
                throw new InputException(path + " is in target_modules and in modules_to_save; take it out of one");
            }
        }
    }

    /// Throws: InputException when a parameter, or the embedding that is the head, waits on the host, where nothing is trained.
    static void requireHere(CausalLm model, Set<String> whole) {
        if (model.ops().onHost()) return;
        for (String name : whole) {
            Parameter parameter = name.equals("lm_head.weight") ? model.head() : model.parameter(name);
            if (!HostWeights.waits(model.ops(), parameter.value())) continue;
            throw new InputException(("%s has a value of its own with this adapter, but offload_embedding keeps it away: "
                    + "leave that out, or train rows of it with trainable_token_indices").formatted(name));
        }
    }

    /// Parts of a weight are no more than its rows or columns, and blocks of a quantized one fill it.
    /// Throws: InputException when a start asks for more.
    static void requireRanks(CausalLm model, LoraConfig config, List<String> adapted) {
        InitLoraWeights init = config.initLoraWeights();
        if (!init.changesBase()) return;
        for (Projection projection : model.projections().values()) {
            String path = projection.path();
            if (!adapted.contains(path)) continue;
            int most = Math.min(projection.inFeatures(), projection.outFeatures());
            if (config.rankOf(path) > most) {
                throw new InputException("LoRA: r is %d, but init_lora_weights %s takes at most %d for %s"
                        .formatted(config.rankOf(path), init.value(), most, path));
            }
            long size = (long) projection.inFeatures() * projection.outFeatures();
            if (init.method() == InitLoraWeights.Method.LOFTQ && size % Nf4.BLOCK != 0) {
                throw new InputException("LoRA: init_lora_weights loftq needs weights of a multiple of %d elements, %s has %d"
                        .formatted(Nf4.BLOCK, path, size));
            }
        }
    }

    /// Experts are multiplied together: what needs one of them alone is refused.
    /// Throws: InputException naming an expert.
    static void requirePlainExperts(CausalLm model, LoraConfig config, List<String> adapted) {
        boolean eva = config.initLoraWeights().method() == InitLoraWeights.Method.EVA;
        if (!config.useDora() && !eva) return;
        for (String path : adapted) {
            if (!model.isExpert(path)) continue;
            throw new InputException(("LoRA: %s does not reach %s, an expert of a mixture; leave it out, or the experts out of "
                    + "target_modules").formatted(config.useDora() ? "use_dora" : "init_lora_weights eva", path));
        }
    }

    /// @param names of what is adapted, as patterns know it
    static void warnOfUnusedPatterns(LoraConfig config, List<String> names) {
        List<String> patterns = new ArrayList<>(config.rankPattern().keySet());
        patterns.addAll(config.alphaPattern().keySet());
        for (String pattern : patterns) {
            if (names.stream().noneMatch(name -> LoraConfig.endsInMatch(pattern, name))) {
                LOG.log(System.Logger.Level.WARNING, "rank or alpha pattern {0} fits no adapted module", pattern);
            }
        }
    }
}
