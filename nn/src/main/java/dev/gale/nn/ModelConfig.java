package dev.gale.nn;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.quant.Quantization;
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
/// @param rmsNormEps         epsilon of the norms, of whatever kind
/// @param activation         gate function of the MLP
/// @param attentionBias      whether q, k and v have a bias, and o where the variant says so
/// @param mlpBias            whether the projections of the MLP have a bias
/// @param tieWordEmbeddings  whether the head is the embedding
/// @param rope               rotary position embedding
/// @param bosTokenId         token that begins a sequence, -1 when there is none
/// @param eosTokenIds        tokens that end a sequence, perhaps none
/// @param padTokenId         token that fills up, -1 when there is none
/// @param dtype              dtype that the files say the weights have
/// @param initializerRange   standard deviation of fresh weights
/// @param variant            what sets the layers apart from Llama's
public record ModelConfig(String architecture, int hiddenSize, int intermediateSize, int numLayers, int numHeads,
                          int numKvHeads, int headDim, int vocabSize, int maxSeqLen, double rmsNormEps,
                          Activation activation, boolean attentionBias, boolean mlpBias, boolean tieWordEmbeddings,
                          RopeConfig rope, int bosTokenId, List<Integer> eosTokenIds, int padTokenId, DType dtype,
                          double initializerRange, Variant variant) {
    /// A model whose layers are Llama's.
    public ModelConfig(String architecture, int hiddenSize, int intermediateSize, int numLayers, int numHeads, int numKvHeads,
                       int headDim, int vocabSize, int maxSeqLen, double rmsNormEps, Activation activation,
                       boolean attentionBias, boolean mlpBias, boolean tieWordEmbeddings, RopeConfig rope, int bosTokenId,
                       List<Integer> eosTokenIds, int padTokenId, DType dtype, double initializerRange) {
        this(architecture, hiddenSize, intermediateSize, numLayers, numHeads, numKvHeads, headDim, vocabSize, maxSeqLen,
                rmsNormEps, activation, attentionBias, mlpBias, tieWordEmbeddings, rope, bosTokenId, eosTokenIds, padTokenId,
                dtype, initializerRange, Variant.LLAMA);
    }

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

    /// What attention needs of this model: `1 / sqrt(K)` scales the scores unless the variant has another factor.
    public AttentionSpec attention() {
        Multipliers multipliers = variant.multipliers();
        double scale = multipliers.attention() == 0 ? 1 / Math.sqrt(headDim) : multipliers.attention();
        return new AttentionSpec(numHeads, numKvHeads, headDim, (float) scale, (float) multipliers.attentionCap(),
                variant.latent() != null);
    }

    /// How many elements of a head are rotated.
    int rotatedDim() {
        return variant.latent() != null ? variant.latent().ropeDim() : (int) (headDim * rope.partialRotaryFactor());
    }

    /// Weights of a layer, biases not counted.
    private long layerParameters(int layer) {
        long attention = variant.latent() != null ? variant.latent().parameters(hiddenSize, numHeads)
                : (2L * numHeads + 2L * numKvHeads) * headDim * hiddenSize;
        long matrices = variant.form().gated() ? 3 : 2;
        long mlp = isSparse(layer) ? variant.mixture().parameters(hiddenSize) : matrices * intermediateSize * hiddenSize;
        return attention + mlp + (variant.form().postNorms() ? 4L : 2L) * hiddenSize;
    }

    /// Bytes of a layer's weights, biases not counted.
    ///
    /// @param quantization null where they are of dtype
    public long layerBytes(int layer, DType dtype, Quantization quantization) {
        return quantization == null ? dtype.bytes(layerParameters(layer)) : quantization.bytes(layerParameters(layer));
    }

    /// Whether a layer has experts.
    boolean isSparse(int layer) {
        return variant.mixture() != null && variant.mixture().isSparse(layer);
    }

    /// The same model without what it is a part of.
    ModelConfig languageModel() {
        return new ModelConfig(Family.of(this).text().architecture, hiddenSize, intermediateSize, numLayers,
                numHeads, numKvHeads, headDim, vocabSize, maxSeqLen, rmsNormEps, activation, attentionBias, mlpBias,
                tieWordEmbeddings, rope, bosTokenId, eosTokenIds, padTokenId, dtype, initializerRange, variant);
    }

    /// The same model with another rotary embedding.
    ModelConfig withRope(RopeConfig other) {
        return new ModelConfig(architecture, hiddenSize, intermediateSize, numLayers, numHeads, numKvHeads, headDim,
                vocabSize, maxSeqLen, rmsNormEps, activation, attentionBias, mlpBias, tieWordEmbeddings, other,
                bosTokenId, eosTokenIds, padTokenId, dtype, initializerRange, variant);
    }

    /// The same model with another number of tokens.
    public ModelConfig withVocabSize(int size) {
        return new ModelConfig(architecture, hiddenSize, intermediateSize, numLayers, numHeads, numKvHeads, headDim,
                size, maxSeqLen, rmsNormEps, activation, attentionBias, mlpBias, tieWordEmbeddings, rope,
                bosTokenId, eosTokenIds, padTokenId, dtype, initializerRange, variant);
    }

    /// The same model with other end-of-sequence tokens.
    public ModelConfig withEosTokenIds(List<Integer> ids) {
        return new ModelConfig(architecture, hiddenSize, intermediateSize, numLayers, numHeads, numKvHeads, headDim,
                vocabSize, maxSeqLen, rmsNormEps, activation, attentionBias, mlpBias, tieWordEmbeddings, rope,
                bosTokenId, ids, padTokenId, dtype, initializerRange, variant);
    }
}
