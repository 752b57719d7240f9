package dev.gale.nn;

/// Names of modules in the files of a family, where families differ.
///
/// @param root       path of what has embedding, layers and the norm before the head
/// @param finalNorm  that norm in it
/// @param output     the projection after attention
/// @param up         the MLP's first projection, or the one beside the gate
/// @param down       the MLP's last projection
/// @param headBias   whether the head has a bias
/// @param sparse     the MLP of layers with experts
/// @param expertGate an expert's gate, and so on
/// @param shared     the MLP beside experts
/// @param headNorm   norms of heads begin with q or k and end so
record WeightNames(String root, String finalNorm, String output, String up, String down, boolean headBias, String sparse,
                   String expertGate, String expertUp, String expertDown, String shared, String headNorm) {
    private static final String MODEL = "model";
    static final WeightNames LLAMA = dense("norm", "o_proj", "up_proj", "down_proj", false, "_norm");
    static final WeightNames PHI = dense("final_layernorm", "dense", "fc1", "fc2", true, "_layernorm");
    static final WeightNames MIXTRAL = sparse("block_sparse_moe", "w1", "w3", "w2", "");
    static final WeightNames QWEN_MOE = sparse("mlp", "gate_proj", "up_proj", "down_proj", "shared_expert");
    static final WeightNames DEEPSEEK = sparse("mlp", "gate_proj", "up_proj", "down_proj", "shared_experts");

    private static WeightNames dense(String finalNorm, String output, String up, String down, boolean headBias,
                                     String headNorm) {
        return new WeightNames(MODEL, finalNorm, output, up, down, headBias, "", "", "", "", "", headNorm);
    }

    /// Names of Llama, and those of experts.
    private static WeightNames sparse(String mlp, String gate, String up, String down, String shared) {
        return new WeightNames(MODEL, "norm", "o_proj", "up_proj", "down_proj", false, mlp, gate, up, down, shared, "_norm");
    }

    /// The same names in another place.
    WeightNames within(String other) {
        return new WeightNames(other, finalNorm, output, up, down, headBias, sparse, expertGate, expertUp, expertDown, shared,
                headNorm);
    }
}
