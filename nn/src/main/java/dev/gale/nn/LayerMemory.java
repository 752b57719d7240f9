package dev.gale.nn;

import dev.gale.tensor.DType;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;

/// What the weights of layers take on a device.
final class LayerMemory {
    private static final long QUANTIZED_EXTRA = 16_384;

    private LayerMemory() {}

    /// Makes room for the layers that stay there. A little more than the tensors have where there are scales: each begins at a
    /// multiple of 64 bytes.
    static void reserve(TensorOps ops, ModelConfig config, DType dtype, Quantization quantization, HostWeights onHost) {
        long bytes = 0;
        for (int layer = 0; layer < config.numLayers(); layer++) {
            if (onHost.piece(layer, config.numLayers()) >= 0) continue;
            bytes += config.layerBytes(layer, dtype, quantization) + (quantization == null ? 0 : QUANTIZED_EXTRA);
        }
        ops.reserve(bytes);
    }
}
