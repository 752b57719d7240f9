package dev.gale.kernels.runtime;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What a device can do beyond plain arithmetic: decides which kernels are chosen, whether the device is there or only planned.
///
/// @param activationType in which activations and their gradients are kept
/// @param matrixUnit     whether it multiplies tiles of 16-bit elements, as CUDA's `mma` does
/// @param cublas         whether cuBLAS is there
record Abilities(DType activationType, boolean matrixUnit, boolean cublas) {
    /// System property that says in which dtype activations are kept, where a run does not: `f32`, `f16` or `bf16`.
    static final String ACTIVATIONS = "gale.activations";

    /// Any device.
    static final Abilities NONE = new Abilities(DType.F32, false, false);

    /// BF16, `mma` of its tiles and `cp.async` came with Ampere.
    private static final int AMPERE = 8;
    /// How TornadoVM's CUDA backend says the compute capability.
    private static final Pattern VERSION = Pattern.compile("Device version\\s*: CUDA (\\d+)\\.");

    /// A GPU of NVIDIA through TornadoVM's CUDA backend, one whose generation is not told taken for a recent one: BF16, or F16
    /// where it came before BF16.
    ///
    /// @param info what TornadoVM says about the device
    static Abilities cuda(String info) {
        Matcher version = VERSION.matcher(info);
        boolean matrixUnit = !version.find() || Integer.parseInt(version.group(1)) >= AMPERE;
        boolean cublas = matrixUnit && CublasLibrary.isPresent();
        return new Abilities(matrixUnit ? DType.BF16 : DType.F16, matrixUnit, cublas);
    }

    /// The same with activations in the dtype that the system property names, if it names one.
    /// Throws: InputException as `computingIn`, or when it names none.
    Abilities asSet() {
        String name = System.getProperty(ACTIVATIONS);
        if (name == null) return this;
        return switch (name) {
            case "f32" -> computingIn(DType.F32);
            case "f16" -> computingIn(DType.F16);
            case "bf16" -> computingIn(DType.BF16);
            default -> throw new InputException("%s is \"%s\", but must be f32, f16 or bf16".formatted(ACTIVATIONS, name));
        };
    }

    /// The same with activations in another dtype.
    /// Throws: InputException for BF16 where the device does not compute with it.
    Abilities computingIn(DType dtype) {
        if (dtype == DType.BF16 && !matrixUnit) {
            throw new InputException("this device does not compute in bf16: ask for fp16, or for neither");
        }
        return new Abilities(dtype, matrixUnit, cublas);
    }

    /// For people.
    List<String> names() {
        List<String> names = new ArrayList<>();
        if (matrixUnit) names.addAll(List.of("bf16", "mma", "cp.async"));
        if (cublas) names.add("cublas");
        return names;
    }
}
