package dev.gale.nn;

/// Multi-head latent attention: keys and values are made of one narrow vector of a token, and a part of each key, the rotated
/// one, is shared by all heads.
/// Source: DeepSeek-AI 2024, arXiv 2405.04434 section 2.1.
///
/// @param queryRank width of the vector that queries are made of; 0 when they are made of the hidden state
/// @param rank      width of the vector that keys and values are made of
/// @param plainDim  elements of a head of q and k that are not rotated
/// @param ropeDim   elements that are
/// @param valueDim  elements of a head of v, at most those of a head of k
public record LatentAttention(int queryRank, int rank, int plainDim, int ropeDim, int valueDim) {
    int headDim() {
        return plainDim + ropeDim;
    }

    /// Weights of a layer's attention.
    long parameters(int hidden, int heads) {
        long queries = (long) heads * headDim() * (queryRank == 0 ? hidden : queryRank) + (long) queryRank * hidden;
        return queries + (long) (rank + ropeDim) * hidden + (long) heads * (plainDim + valueDim) * rank
                + (long) heads * valueDim * hidden;
    }
}
