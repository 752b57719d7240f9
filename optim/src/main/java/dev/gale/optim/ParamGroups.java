package dev.gale.optim;

import dev.gale.tensor.Parameter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/// Ways to sort parameters into groups.
public final class ParamGroups {
    private static final Pattern NO_DECAY =
            Pattern.compile("bias|layernorm|rmsnorm|(?:^|\\.)norm(?:$|\\.)|_norm(?:$|\\.)");

    private ParamGroups() {}

    /// All in one group, as `torch.optim.AdamW(model.parameters())`.
    public static List<ParamGroup> single(List<Parameter> parameters, double weightDecay) {
        return List.of(new ParamGroup(parameters, weightDecay));
    }

    /// Two groups: those that decay, and biases and norm weights, which do not. An empty group is left out.
    /// Source: transformers `Trainer.get_decay_parameter_names`, which decides by name.
    public static List<ParamGroup> byDecay(List<Parameter> parameters, double weightDecay) {
        List<Parameter> decaying = parameters.stream().filter(p -> decays(p.name())).toList();
        List<Parameter> others = parameters.stream().filter(p -> !decays(p.name())).toList();
        List<ParamGroup> groups = new ArrayList<>();
        if (!decaying.isEmpty()) groups.add(new ParamGroup(decaying, weightDecay));
        if (!others.isEmpty()) groups.add(new ParamGroup(others, 0));
        return List.copyOf(groups);
    }

    /// False for the names of biases and norm weights.
    public static boolean decays(String name) {
        return !NO_DECAY.matcher(name.toLowerCase(Locale.ROOT)).find();
    }
}
