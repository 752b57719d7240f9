package dev.gale.nn;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import java.util.List;

/// Everything about a decoder-only model that changes its computation. Families differ by these fields, never by a
/// subclass.
///
/// @param architecture       name in `architectures` of config.json, e.g. `LlamaForCausalLM`
/// @param hiddenSize         D, width of the residual stream
/// @param intermediateSize   F, width inside the MLP
/// @param numLayers          decoder layers
/// @param numHeads           H, query heads
/// @param numKvHeads         Hkv, key and value heads
/// @param headDim            K, width of a head
/// @param vocabSize          V, rows of the embedding
/// @param maxSeqLen          longest sequence the model was trained for (`max_position_embeddings`)
/// @param rmsNormEps         epsilon of the norms
/// @param activation         gate function of the MLP
/// @param attentionBias      whether q, k, v and o have a bias
/// @param mlpBias            whether gate, up and down have a bias
/// @param tieWordEmbeddings  whether the head is the embedding
/// @param rope               rotary position embedding
/// @param bosTokenId         token that begins a sequence, -1 when there is none
/// @param eosTokenIds        tokens that end a sequence, perhaps none
/// @param padTokenId         token that fills up, -1 when there is none
/// @param dtype              dtype that the files say the weights have
/// @param initializerRange   standard deviation of fresh weights
public record ModelConfig(String architecture, int hiddenSize, int intermediateSize, int numLayers, int numHeads,
                          int numKvHeads, int headDim, int vocabSize, int maxSeqLen, double rmsNormEps,
                          Activation activation, boolean attentionBias, boolean mlpBias, boolean tieWordEmbeddings,
                          RopeConfig rope, int bosTokenId, List<Integer> eosTokenIds, int padTokenId, DType dtype,
                          double initializerRange) {
    public ModelConfig {
        eosTokenIds = List.copyOf(eosTokenIds);
        positive("hidden_size", hiddenSize);
        positive("intermediate_size", intermediateSize);
        positive("num_hidden_layers", numLayers);
        positive("num_attention_heads", numHeads);
        positive("num_key_value_heads", numKvHeads);
        positive("head_dim", headDim);
        positive("vocab_size", vocabSize);
        positive("max_position_embeddings", maxSeqLen);
        if (numHeads % numKvHeads != 0) {
            throw new InputException("num_attention_heads %d is not a multiple of num_key_value_heads %d"
                    .formatted(numHeads, numKvHeads));
        }
    }

    private static void positive(String field, int value) {
        if (value < 1) throw new InputException("%s must be at least 1, got %d".formatted(field, value));
    }

    /// What attention needs of this model: `1 / sqrt(K)` scales the scores.
    public AttentionSpec attention() {
        return new AttentionSpec(numHeads, numKvHeads, headDim, (float) (1 / Math.sqrt(headDim)), 0f);
    }

    /// Weights of a layer, biases not counted.
    public long layerParameters() {
        long attention = (2L * numHeads + 2L * numKvHeads) * headDim * hiddenSize;
        return attention + 3L * intermediateSize * hiddenSize + 2L * hiddenSize;
    }

    /// The same model with another number of tokens.
    public ModelConfig withVocabSize(int size) {
        return new ModelConfig(architecture, hiddenSize, intermediateSize, numLayers, numHeads, numKvHeads, headDim,
                size, maxSeqLen, rmsNormEps, activation, attentionBias, mlpBias, tieWordEmbeddings, rope,
                bosTokenId, eosTokenIds, padTokenId, dtype, initializerRange);
    }

    /// The same model with other end-of-sequence tokens.
    public ModelConfig withEosTokenIds(List<Integer> ids) {
        return new ModelConfig(architecture, hiddenSize, intermediateSize, numLayers, numHeads, numKvHeads, headDim,
                vocabSize, maxSeqLen, rmsNormEps, activation, attentionBias, mlpBias, tieWordEmbeddings, rope,
                bosTokenId, ids, padTokenId, dtype, initializerRange);
    }
}
