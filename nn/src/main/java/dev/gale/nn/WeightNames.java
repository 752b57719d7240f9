package dev.gale.nn;

/// Names of modules in the files of a family, where families differ.
///
/// @param finalNorm path of the norm before the head
/// @param output    the projection after attention
/// @param up        the MLP's first projection, or the one beside the gate
/// @param down      the MLP's last projection
/// @param headBias  whether the head has a bias
record WeightNames(String finalNorm, String output, String up, String down, boolean headBias) {
    static final WeightNames LLAMA = new WeightNames("model.norm", "o_proj", "up_proj", "down_proj", false);
    static final WeightNames PHI = new WeightNames("model.final_layernorm", "dense", "fc1", "fc2", true);
}
