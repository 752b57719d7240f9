package dev.gale.peft;

import dev.gale.tensor.InputException;

/// PEFT's `eva_config`.
///
/// @param rho                  a module's rank is at most so many times its configured one; 1 leaves all ranks alone
/// @param tau                  components whose cosine with those before the last batch reaches this have converged
/// @param useLabelMask         look only at tokens that are trained
/// @param labelMaskValue       the label of tokens that are not trained; only -100 is
/// @param whiten               divide components by the root of their singular values
/// @param adjustScalingFactors keep `alpha / r` of modules whose rank changed
public record EvaConfig(double rho, double tau, boolean useLabelMask, int labelMaskValue, boolean whiten,
                        boolean adjustScalingFactors) {
    public static final EvaConfig DEFAULT = new EvaConfig(2, 0.99, true, -100, false, true);

    public EvaConfig {
        if (!(rho >= 1)) throw new InputException("LoRA: rho of eva_config must be at least 1, got " + rho);
        if (!(tau >= 0 && tau <= 1)) throw new InputException("LoRA: tau of eva_config must be in [0, 1], got " + tau);
        if (labelMaskValue != -100) {
            throw new InputException("LoRA: label_mask_value of eva_config must be -100, got " + labelMaskValue);
        }
    }
}
