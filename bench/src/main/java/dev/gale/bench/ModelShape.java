package dev.gale.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.HfConfig;
import dev.gale.nn.ModelConfig;
import dev.gale.nn.RopeConfig;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.Activation;
import java.util.Arrays;
import java.util.List;

/// Shapes of models that are measured, the peers' too: Llama's, and mixtures by what their config.json says.
public enum ModelShape {
    LLAMA_135M("135m", 576, 1536, 30, 9, 3, 64, 49152, true, 10000),
    LLAMA_1B("1b", 2048, 8192, 16, 32, 8, 64, 128256, true, 500000),
    LLAMA_8B("8b", 4096, 14336, 32, 32, 8, 128, 128256, false, 500000),
    LLAMA_70B("70b", 8192, 28672, 80, 64, 8, 128, 128256, false, 500000),
    MIXTRAL_8X7B("mixtral-8x7b", """
            {"architectures": ["MixtralForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
             "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000, "max_position_embeddings": 32768,
             "num_local_experts": 8, "num_experts_per_tok": 2, "rope_theta": 1000000.0, "torch_dtype": "bfloat16"}"""),
    QWEN3_30B_A3B("qwen3-30b-a3b", """
            {"architectures": ["Qwen3MoeForCausalLM"], "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 48,
             "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128, "vocab_size": 151936,
             "max_position_embeddings": 40960, "num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768,
             "norm_topk_prob": true, "rope_theta": 1000000.0, "torch_dtype": "bfloat16"}""");

    private static final int MAX_SEQ_LEN = 1 << 20;

    private final String label;
    private final String model;
    private final ModelConfig config;

    ModelShape(String label, int hidden, int intermediate, int layers, int heads, int kvHeads, int headDim, int vocab,
               boolean tied, double theta) {
        this.label = label;
        model = "llama-" + label;
        config = new ModelConfig("LlamaForCausalLM", hidden, intermediate, layers, heads, kvHeads, headDim, vocab, MAX_SEQ_LEN,
                1e-5, Activation.SILU, false, false, tied, RopeConfig.plain(theta), 1, List.of(2), -1, DType.BF16, 0.02);
    }

    /// @param json what counts of a config.json
    ModelShape(String label, String json) {
        this.label = label;
        model = label;
        try {
            config = HfConfig.parse((ObjectNode) new ObjectMapper().readTree(json), label);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(label, e);
        }
    }

    /// The shape that is called so on the command line.
    /// Throws: InputException when there is none.
    public static ModelShape of(String label) {
        return Arrays.stream(values()).filter(shape -> shape.label.equals(label)).findFirst().orElseThrow(() ->
                InputException.unknown("--shape", label, Arrays.stream(values()).map(ModelShape::label).toList()));
    }

    public String label() {
        return label;
    }

    /// With its family, for tables.
    public String model() {
        return model;
    }

    public ModelConfig config() {
        return config;
    }

    /// The same model with another number of layers.
    public ModelConfig config(int layers) {
        ModelConfig c = config;
        return new ModelConfig(c.architecture(), c.hiddenSize(), c.intermediateSize(), layers, c.numHeads(), c.numKvHeads(),
                c.headDim(), c.vocabSize(), c.maxSeqLen(), c.rmsNormEps(), c.activation(), c.attentionBias(), c.mlpBias(),
                c.tieWordEmbeddings(), c.rope(), c.bosTokenId(), c.eosTokenIds(), c.padTokenId(), c.dtype(),
                c.initializerRange(), c.variant());
    }
}
