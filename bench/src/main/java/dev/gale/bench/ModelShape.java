package dev.gale.bench;

import dev.gale.nn.ModelConfig;
import dev.gale.nn.RopeConfig;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.Activation;
import java.util.Arrays;
import java.util.List;

/// Shapes of Llama models that are measured, the peers' too.
public enum ModelShape {
    LLAMA_135M("135m", 576, 1536, 30, 9, 3, 64, 49152, true, 10000),
    LLAMA_1B("1b", 2048, 8192, 16, 32, 8, 64, 128256, true, 500000),
    LLAMA_8B("8b", 4096, 14336, 32, 32, 8, 128, 128256, false, 500000),
    LLAMA_70B("70b", 8192, 28672, 80, 64, 8, 128, 128256, false, 500000);

    private static final int MAX_SEQ_LEN = 1 << 20;

    private final String label;
    private final ModelConfig config;

    ModelShape(String label, int hidden, int intermediate, int layers, int heads, int kvHeads, int headDim, int vocab,
               boolean tied, double theta) {
        this.label = label;
        config = new ModelConfig("LlamaForCausalLM", hidden, intermediate, layers, heads, kvHeads, headDim, vocab, MAX_SEQ_LEN,
                1e-5, Activation.SILU, false, false, tied, RopeConfig.plain(theta), 1, List.of(2), -1, DType.BF16, 0.02);
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

    public ModelConfig config() {
        return config;
    }

    /// The same model with another number of layers.
    public ModelConfig config(int layers) {
        ModelConfig c = config;
        return new ModelConfig(c.architecture(), c.hiddenSize(), c.intermediateSize(), layers, c.numHeads(), c.numKvHeads(),
                c.headDim(), c.vocabSize(), c.maxSeqLen(), c.rmsNormEps(), c.activation(), c.attentionBias(), c.mlpBias(),
                c.tieWordEmbeddings(), c.rope(), c.bosTokenId(), c.eosTokenIds(), c.padTokenId(), c.dtype(),
                c.initializerRange());
    }
}
