package dev.gale.nn;

/// How a decoder layer is put together.
///
/// @param norm       kind of its norms
/// @param postNorms  whether norms also stand after attention and MLP, before the residual is added (Gemma 2 and 3)
/// @param parallel   whether attention and MLP read the same norm and are added together (Phi-2)
/// @param fused      whether q, k and v are one projection, and gate and up another (Phi-3)
/// @param gated      whether the MLP is `down(act(gate(x)) * up(x))`, else `fc2(act(fc1(x)))`
/// @param headNorms  whether each head of q and k is normalised before it is rotated (Qwen3, Gemma 3, some of Phi)
/// @param outputBias whether the projection after attention has a bias where those before it have one
public record LayerForm(NormKind norm, boolean postNorms, boolean parallel, boolean fused, boolean gated, boolean headNorms,
                        boolean outputBias) {
    /// Two RMSNorms, one after the other, and a gated MLP.
    public static final LayerForm LLAMA = new LayerForm(NormKind.RMS, false, false, false, true, false, true);
    static final LayerForm QWEN2 = new LayerForm(NormKind.RMS, false, false, false, true, false, false);
    static final LayerForm QWEN3 = new LayerForm(NormKind.RMS, false, false, false, true, true, true);
    static final LayerForm GEMMA = new LayerForm(NormKind.SHIFTED_RMS, false, false, false, true, false, true);
    static final LayerForm GEMMA2 = new LayerForm(NormKind.SHIFTED_RMS, true, false, false, true, false, true);
    static final LayerForm GEMMA3 = new LayerForm(NormKind.SHIFTED_RMS, true, false, false, true, true, true);
    static final LayerForm PHI = new LayerForm(NormKind.LAYER, false, true, false, false, false, true);
    static final LayerForm PHI_NORMS = new LayerForm(NormKind.LAYER, false, true, false, false, true, true);
    static final LayerForm PHI3 = new LayerForm(NormKind.RMS, false, false, true, true, false, true);
}
