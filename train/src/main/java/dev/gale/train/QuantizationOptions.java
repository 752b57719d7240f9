package dev.gale.train;

import dev.gale.nn.HfConfig;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.SkipModules;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import java.util.List;
import java.util.Optional;

/// How the weights of a base model's projections are quantized while it is loaded; names and meaning as in Transformers'
/// `BitsAndBytesConfig`, but the 4-bit type is nf4 unless said.
///
/// @param loadIn4bit            4 bits
/// @param loadIn8bit            8 bits
/// @param bnb4bitQuantType      nf4 or fp4
/// @param bnb4bitUseDoubleQuant whether the scales of 4-bit weights are quantized too
/// @param bnb4bitComputeDtype   what to compute in; a device computes in the dtype of its activations, whatever this says
/// @param llmInt8SkipModules    modules that stay dense
public record QuantizationOptions(Optional<Boolean> loadIn4bit, boolean loadIn8bit, Optional<String> bnb4bitQuantType,
                                  Optional<Boolean> bnb4bitUseDoubleQuant, Optional<String> bnb4bitComputeDtype,
                                  List<String> llmInt8SkipModules) {
    private static final List<String> TYPES = List.of("nf4", "fp4");

    /// Leaves weights as their files have them.
    public static final QuantizationOptions NONE = new QuantizationOptions(Optional.empty(), false, Optional.empty(),
            Optional.empty(), Optional.empty(), List.of());

    public QuantizationOptions {
        llmInt8SkipModules = List.copyOf(llmInt8SkipModules);
        boolean fourBits = loadIn4bit.orElse(false);
        if (fourBits && loadIn8bit) {
            throw new InputException("load_in_4bit and load_in_8bit exclude each other: leave out one of them");
        }
        bnb4bitQuantType.ifPresent(type -> {
            if (!TYPES.contains(type)) throw InputException.unknown("bnb_4bit_quant_type", type, TYPES);
        });
        bnb4bitComputeDtype.ifPresent(QuantizationOptions::computeType);
        if (loadIn4bit.isEmpty() || loadIn8bit) {
            requireAbsent("bnb_4bit_quant_type", bnb4bitQuantType.isPresent());
            requireAbsent("bnb_4bit_use_double_quant", bnb4bitUseDoubleQuant.isPresent());
            requireAbsent("bnb_4bit_compute_dtype", bnb4bitComputeDtype.isPresent());
        }
        if (loadIn4bit.isEmpty() && !loadIn8bit && !llmInt8SkipModules.isEmpty()) {
            throw new InputException("llm_int8_skip_modules leaves modules dense where others are quantized: set load_in_4bit "
                    + "or load_in_8bit, or leave it out");
        }
    }

    private static void requireAbsent(String key, boolean given) {
        if (given) throw new InputException(key + " says how load_in_4bit quantizes: set load_in_4bit, or leave it out");
    }

    private static DType computeType(String name) {
        try {
            return LoadOptions.dtype(name);
        } catch (InputException e) {
            throw new InputException("bnb_4bit_compute_dtype: " + e.getMessage(), e);
        }
    }

    /// Whether anything is quantized.
    public boolean isActive() {
        return loadIn4bit.orElse(false) || loadIn8bit;
    }

    /// The options with the quantization that is asked for.
    public LoadOptions apply(LoadOptions options) {
        if (!isActive()) return options;
        return options.withQuantization(quantization()).withSkipModules(new SkipModules(llmInt8SkipModules));
    }

    private Quantization quantization() {
        if (loadIn8bit) return Quantization.INT8;
        boolean nested = bnb4bitUseDoubleQuant.orElse(false);
        if (bnb4bitQuantType.orElse("nf4").equals("fp4")) return nested ? Quantization.FP4_NESTED : Quantization.FP4;
        return nested ? Quantization.NF4_NESTED : Quantization.NF4;
    }

    /// What cannot be had on a device.
    public Optional<String> note(TensorOps ops) {
        DType asked = bnb4bitComputeDtype.map(QuantizationOptions::computeType).orElse(null);
        if (!isActive() || asked == null || asked == ops.activationType()) return Optional.empty();
        return Optional.of("bnb_4bit_compute_dtype %s cannot be had on this device, which computes in %s"
                .formatted(HfConfig.dtypeName(asked), HfConfig.dtypeName(ops.activationType())));
    }
}
