package dev.gale.train;

import dev.gale.nn.LoadOptions;
import dev.gale.peft.LoraConfig;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.data.Example;
import dev.gale.train.demo.Demo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/// A model of some thousand parameters with a real tokenizer, and examples of random tokens for it.
final class TinyRuns {
    static final int VOCAB = 300;

    private TinyRuns() {}

    /// Writes a model folder with fresh weights.
    static Path base(Path directory) throws IOException {
        Demo.writeTokenizer(directory, 50, 1, VOCAB);
        Files.writeString(directory.resolve("config.json"), """
                {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 48,
                 "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 300,
                 "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
                 "tie_word_embeddings": true, "initializer_range": 0.1, "eos_token_id": 0, "torch_dtype": "float32"}""");
        Path trained = directory.resolveSibling("base");
        try (FastLanguageModel fresh = FastLanguageModel.fromScratch(directory, 5, new CpuOps())) {
            fresh.savePretrained(trained);
        }
        return trained;
    }

    static FastLanguageModel adapted(Path base, double dropout, TensorOps ops) {
        return FastLanguageModel.open(base, LoadOptions.defaults(), ops).getPeftModel(LoraConfig.builder().r(4).loraAlpha(8)
                .loraDropout(dropout).targetModules("all-linear").build(), 3);
    }

    /// Examples of 3 to 20 tokens, some of them masked at the front.
    static List<Example> examples(int count) {
        Random random = new Random(11);
        List<Example> examples = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int length = 3 + random.nextInt(18);
            boolean[] trained = new boolean[length];
            for (int t = random.nextInt(length - 1); t < length; t++) trained[t] = true;
            examples.add(new Example(random.ints(length, 1, VOCAB).toArray(), trained));
        }
        return examples;
    }
}
