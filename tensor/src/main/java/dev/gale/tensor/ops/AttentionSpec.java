package dev.gale.tensor.ops;

/// What attention needs to know beside its tensors.
///
/// @param numHeads    query heads H
/// @param numKvHeads  key and value heads Hkv; H is a multiple of it
/// @param headDim     width K of a head
/// @param scale       factor on q·k before the softmax, usually `1 / sqrt(headDim)`
/// @param softcap     when positive, scores become `softcap * tanh(score / softcap)`; 0 is off
/// @param interleaved whether rotary embedding turns neighbours (2i, 2i + 1) of a head, not halves (i, i + half)
public record AttentionSpec(int numHeads, int numKvHeads, int headDim, float scale, float softcap, boolean interleaved) {
    public AttentionSpec(int numHeads, int numKvHeads, int headDim, float scale, float softcap) {
        this(numHeads, numKvHeads, headDim, scale, softcap, false);
    }

    public AttentionSpec {
        if (numHeads < 1 || numKvHeads < 1 || numHeads % numKvHeads != 0) {
            throw new IllegalArgumentException("%d attention heads cannot share %d key-value heads evenly"
                    .formatted(numHeads, numKvHeads));
        }
        if (headDim < 1) throw new IllegalArgumentException("head_dim must be at least 1, got " + headDim);
    }

    /// Width of a row of q and of the output.
    public int queryWidth() {
        return numHeads * headDim;
    }

    /// Width of a row of k and of v.
    public int keyWidth() {
        return numKvHeads * headDim;
    }
}
