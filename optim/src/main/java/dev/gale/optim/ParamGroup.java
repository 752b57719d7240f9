package dev.gale.optim;

import dev.gale.tensor.Parameter;
import java.util.List;

/// Parameters that an optimizer treats alike.
///
/// @param parameters   trainable, each in one group only
/// @param weightDecay  decoupled weight decay, >= 0
/// @param lrMultiplier factor on the schedule's learning rate, >= 0; 1 for most
public record ParamGroup(List<Parameter> parameters, double weightDecay, double lrMultiplier) {
    public ParamGroup {
        parameters = List.copyOf(parameters);
        if (!(weightDecay >= 0)) throw new IllegalArgumentException("weight_decay must be >= 0, got " + weightDecay);
        if (!(lrMultiplier >= 0)) throw new IllegalArgumentException("lrMultiplier must be >= 0, got " + lrMultiplier);
    }

    public ParamGroup(List<Parameter> parameters, double weightDecay) {
        this(parameters, weightDecay, 1);
    }
}
