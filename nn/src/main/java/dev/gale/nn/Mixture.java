package dev.gale.nn;

import dev.gale.tensor.ops.RouteSpec;
import java.util.List;

/// MLPs of which each token goes through a few.
///
/// @param numExperts  how many there are in a layer
/// @param width       F inside each of them
/// @param route       how tokens choose
/// @param sharedWidth F inside the MLP beside them that every token goes through; 0 for none
/// @param sharedGate  whether its result is multiplied by a sigmoid of the token
/// @param linearGate  whether the router is a linear layer, which `target_modules` of adapters reach
/// @param sparse      per layer whether it has experts; empty for all
/// @param auxLoss     what config.json says of the load-balancing loss; null in families for which Transformers has none
public record Mixture(int numExperts, int width, RouteSpec route, int sharedWidth, boolean sharedGate, boolean linearGate,
                      List<Boolean> sparse, AuxLoss auxLoss) {
    public Mixture {
        sparse = List.copyOf(sparse);
    }

    boolean isSparse(int layer) {
        return sparse.isEmpty() || sparse.get(layer);
    }

    /// Weights of a layer's experts, router and shared MLP.
    long parameters(int hidden) {
        return (3L * numExperts * width + numExperts + 3L * sharedWidth + (sharedGate ? 1 : 0)) * hidden;
    }
}
