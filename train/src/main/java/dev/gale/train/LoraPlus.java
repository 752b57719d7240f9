package dev.gale.train;

import dev.gale.optim.ParamGroup;
import dev.gale.optim.ParamGroups;
import dev.gale.tensor.Parameter;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/// LoRA+: B, and whatever else has one dimension, learns `loraplus_lr_ratio` times as fast as A; adapters of an embedding
/// have a rate of their own.
/// Source: Hayou et al. 2024, arXiv 2402.12354; peft `optimizers/loraplus.py`, with the run's weight decay.
final class LoraPlus {
    private LoraPlus() {}

    /// Groups of A, of embeddings, of B, and of B without weight decay; empty ones are left out.
    static List<ParamGroup> groups(List<Parameter> parameters, SftConfig config, double ratio) {
        Predicate<Parameter> embedding = parameter -> parameter.name().contains(".lora_embedding_");
        Predicate<Parameter> fast = embedding.negate().and(parameter -> parameter.name().contains("lora_B")
                || parameter.value().shape().rank() == 1);
        Predicate<Parameter> decays = parameter -> ParamGroups.decays(parameter.name());
        double decay = config.weightDecay();
        List<ParamGroup> groups = new ArrayList<>();
        add(groups, parameters, embedding.or(fast).negate(), decay, 1);
        add(groups, parameters, embedding, decay, config.loraplusLrEmbedding() / config.learningRate());
        add(groups, parameters, fast.and(decays), decay, ratio);
        add(groups, parameters, fast.and(decays.negate()), 0, ratio);
        return groups;
    }

    private static void add(List<ParamGroup> groups, List<Parameter> parameters, Predicate<Parameter> chosen, double decay,
                            double lrMultiplier) {
        List<Parameter> members = parameters.stream().filter(chosen).toList();
        if (!members.isEmpty()) groups.add(new ParamGroup(members, decay, lrMultiplier));
    }
}
