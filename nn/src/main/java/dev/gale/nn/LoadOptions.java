package dev.gale.nn;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.quant.Quantization;

/// How a model folder is opened.
///
/// @param dtype     what weights are converted to; null leaves each as its file has it, memory-mapped and never copied
/// @param maxSeqLen longest sequence; 0 takes the model's own `max_position_embeddings`
/// @param trainable whether every weight shall be trained: they are copied to F32 then, whatever dtype says
/// @param quantization of the projections of the layers; null leaves them as the files have them, dense ones dense. Embedding,
///                    head, norms and biases stay dense
/// @param skipModules  projections that stay dense all the same
/// @param ropeScaling  in place of the model's own rotary embedding; null leaves it. Without maxSeqLen the context grows by its
///                     factor
/// @param onHost       weights that a device has only by turns
public record LoadOptions(DType dtype, int maxSeqLen, boolean trainable, Quantization quantization, SkipModules skipModules,
                          RopeScaling ropeScaling, HostWeights onHost) {
    public LoadOptions {
        if (trainable && quantization != null) {
            throw new InputException("weights of %s cannot be trained; train an adapter, or load the model without quantization"
                    .formatted(quantization.dtype()));
        }
        if (trainable && !onHost.equals(HostWeights.NONE)) {
            throw new InputException(
                    "weights that are trained stay on the device: offload_embedding and streamed_layers are for adapters");
        }
        if (dtype != null && !dtype.floating()) throw new IllegalArgumentException("weights cannot be " + dtype);
        if (maxSeqLen < 0) {
            throw new InputException("max_seq_length must be at least 1, or 0 for the model's own, got " + maxSeqLen);
        }
    }

    /// Weights as they are in the files, frozen.
    public static LoadOptions defaults() {
        return new LoadOptions(null, 0, false, null, SkipModules.NONE, null, HostWeights.NONE);
    }

    public LoadOptions withDtype(DType dtype) {
        return new LoadOptions(dtype, maxSeqLen, trainable, quantization, skipModules, ropeScaling, onHost);
    }

    public LoadOptions withMaxSeqLen(int maxSeqLen) {
        return new LoadOptions(dtype, maxSeqLen, trainable, quantization, skipModules, ropeScaling, onHost);
    }

    public LoadOptions withQuantization(Quantization quantization) {
        return new LoadOptions(dtype, maxSeqLen, trainable, quantization, skipModules, ropeScaling, onHost);
    }

    public LoadOptions withSkipModules(SkipModules skipModules) {
        return new LoadOptions(dtype, maxSeqLen, trainable, quantization, skipModules, ropeScaling, onHost);
    }

    public LoadOptions withOnHost(HostWeights onHost) {
        return new LoadOptions(dtype, maxSeqLen, trainable, quantization, skipModules, ropeScaling, onHost);
    }

    public LoadOptions withTrainable(boolean trainable) {
        return new LoadOptions(dtype, maxSeqLen, trainable, quantization, skipModules, ropeScaling, onHost);
    }

    public LoadOptions withRopeScaling(RopeScaling ropeScaling) {
        return new LoadOptions(dtype, maxSeqLen, trainable, quantization, skipModules, ropeScaling, onHost);
    }

    /// What weights that are stored as `stored` become.
    DType dtype(DType stored) {
        if (trainable) return DType.F32;
        return dtype == null ? stored : dtype;
    }

    /// Whether a projection shall be quantized while it is loaded.
    boolean quantizes(String path) {
        return quantization != null && !skipModules.skips(path);
    }

    /// The dtype of a name as people write it; null for `auto`.
    /// Throws: InputException when the name is unknown.
    public static DType dtype(String name) {
        return switch (name) {
            case "auto" -> null;
            case "f32", "fp32", "float32" -> DType.F32;
            case "bf16", "bfloat16" -> DType.BF16;
            case "f16", "fp16", "float16" -> DType.F16;
            default -> throw new InputException("dtype '%s' is unknown; use auto, float32, bfloat16 or float16"
                    .formatted(name));
        };
    }
}
