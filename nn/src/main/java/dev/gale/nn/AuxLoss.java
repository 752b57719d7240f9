package dev.gale.nn;

import dev.gale.tensor.InputException;

/// The load-balancing loss that a mixture of experts may be trained with: see `RouterLoss`.
///
/// @param enabled whether it is computed; `output_router_logits`
/// @param coef    its factor in the loss, at least 0; `router_aux_loss_coef`
public record AuxLoss(boolean enabled, double coef) {
    public AuxLoss {
        if (!(coef >= 0 && Double.isFinite(coef))) {
            throw new InputException("router_aux_loss_coef must be a finite number, at least 0, found " + coef);
        }
    }
}
