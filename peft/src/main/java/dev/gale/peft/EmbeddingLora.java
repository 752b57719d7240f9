package dev.gale.peft;

import dev.gale.nn.CausalLm;
import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.EmbeddingAdapter;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;
import java.util.Map;

/// LoRA beside the embedding. Files have A as `[R, V]`; here it lies as `[V, R]`, so that a token's row can be looked up.
///
/// @param adapter A zero and B normal with deviation 1 at the start; both normal where the start is random
record EmbeddingLora(EmbeddingAdapter adapter) {
    /// Path of a model's embedding.
    static String path(CausalLm model) {
        String name = model.embedding().name();
        return name.substring(0, name.lastIndexOf('.'));
    }

    /// @param init random numbers of its own
    static EmbeddingLora make(CausalLm model, LoraConfig config, LoraInit init, boolean trainable) {
        Parameter table = model.embedding();
        String path = path(model);
        int r = config.rankOf(path);
        LoraInit.Values values = init.embedding(config.initLoraWeights().method(), r, table.value().rows(),
                table.value().cols());
        return new EmbeddingLora(new EmbeddingAdapter(
                parameter(model.ops(), path + ".lora_embedding_A", values.a(), table.value().rows(), r, trainable),
                parameter(model.ops(), path + ".lora_embedding_B", values.b(), table.value().cols(), r, trainable),
                config.scaleOf(path)));
    }

    private static Parameter parameter(TensorOps ops, String name, float[] values, int rows, int cols, boolean trainable) {
        Tensor tensor = ops.allocate(name, DType.F32, Shape.of(rows, cols));
        ops.write(tensor, values);
        return new Parameter(tensor.name(), tensor, trainable);
    }

    List<Parameter> own() {
        return List.of(adapter.a(), adapter.b());
    }

    /// Adds both by their names in a file, A as a copy in host memory that `take` brings back.
    void addTo(Map<String, Tensor> tensors, TensorOps ops) {
        Tensor a = adapter.a().value();
        tensors.put(nameOfA(), HostTensor.of(a.name(), transposed(ops.toFloats(a), a.rows(), a.cols()), a.cols(), a.rows()));
        tensors.put(AdapterFile.name(adapter.b().name()), adapter.b().value());
    }

    /// Takes A over from what `addTo` added.
    void take(Map<String, Tensor> tensors, TensorOps ops) {
        Tensor stored = tensors.get(nameOfA());
        float[] values = HostTensor.values(stored);
        ops.write(adapter.a().value(), transposed(values, stored.rows(), stored.cols()));
    }

    private String nameOfA() {
        return AdapterFile.name(adapter.a().name());
    }

    private static float[] transposed(float[] values, int rows, int cols) {
        float[] transposed = new float[values.length];
        for (int i = 0; i < values.length; i++) transposed[i % cols * rows + i / cols] = values[i];
        return transposed;
    }
}
