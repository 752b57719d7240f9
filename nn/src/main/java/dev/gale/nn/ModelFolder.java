package dev.gale.nn;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.safetensors.QuantizedTensors;
import dev.gale.nn.safetensors.SafetensorsWriter;
import dev.gale.nn.safetensors.WeightFiles;
import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// What a Hugging Face model folder has of a model.
public final class ModelFolder {
    private static final System.Logger LOG = System.getLogger(ModelFolder.class.getName());
    private static final long MAX_SHARD_BYTES = 5_000_000_000L;

    private ModelFolder() {}

    /// Writes `config.json` and the weights.
    ///
    /// @param dtype  of the dense weights in the file; null leaves each as it is
    /// @param stored what `config.json` says of it
    static void write(Path dir, Map<String, Tensor> weights, DType dtype, DType stored, ObjectNode config,
                      Optional<BitsAndBytesConfig> quantization, TensorOps ops) {
        new SafetensorsWriter(ops, dtype).writeSharded(dir, "model", weights, MAX_SHARD_BYTES);
        config.put(config.has("dtype") ? "dtype" : "torch_dtype", HfConfig.dtypeName(stored));
        quantization.ifPresentOrElse(quantized -> quantized.write(config, stored), () -> BitsAndBytesConfig.remove(config));
        AtomicFile.write(dir.resolve("config.json"), config.toPrettyString() + "\n");
    }

    /// Weights by their names in files: of a part, with all that the model's own files hold beside it.
    ///
    /// @param files null when the model came from none
    static Map<String, Tensor> stored(ModelConfig config, Map<String, Tensor> weights, WeightFiles files) {
        Family family = Family.of(config);
        Map<String, Tensor> stored = new LinkedHashMap<>();
        weights.forEach((path, weight) -> stored.put(family.stored(path), weight));
        if (!family.isPart()) return stored;
        for (String path : files.names()) {
            if (family.beside().stream().anyMatch(path::contains)) stored.put(family.stored(path), files.tensor(path));
        }
        return stored;
    }

    /// Says of which tensors a model makes no use.
    static void logUnused(Path dir, Set<String> used, WeightFiles files) {
        List<String> unused = files.names().stream().filter(name -> !QuantizedTensors.belongsTo(used, name)).toList();
        if (!unused.isEmpty()) LOG.log(System.Logger.Level.DEBUG, "{0}: no use for {1}", dir, unused);
    }

    /// Where config.json has the fields of the language model: a part of it that changes with what is returned, or all of it.
    static ObjectNode languageModel(CausalLm model, ObjectNode config) {
        return HfTextPart.own(config, Family.of(model.config()), "config.json");
    }

    /// Sets parameters of a model to what a folder holds that `write` wrote.
    /// Throws: InputException when it holds something else.
    public static void restore(CausalLm model, List<Parameter> parameters, Path dir) {
        try (WeightFiles files = WeightFiles.open(dir, Family.of(model.config())::path)) {
            for (Parameter parameter : parameters) {
                model.ops().copy(parameter.value(), files.tensor(parameter.name(), parameter.value().shape()));
            }
        }
    }

    /// Every weight by its name.
    ///
    /// Throws: IllegalStateException while adapters are in place.
    static Map<String, Tensor> weights(CausalLm model) {
        if (!model.embeddingAdapters().isEmpty()) {
            throw new IllegalStateException("the embedding is no plain weight; merge or remove the adapter first");
        }
        for (Projection projection : model.projections().values()) {
            if (!(projection instanceof Linear)) {
                throw new IllegalStateException(projection.path()
                        + " is no plain weight; merge or remove the adapter first");
            }
        }
        Map<String, Tensor> byName = new LinkedHashMap<>();
        for (Parameter parameter : model.parameters()) byName.put(parameter.name(), parameter.value());
        return byName;
    }
}
