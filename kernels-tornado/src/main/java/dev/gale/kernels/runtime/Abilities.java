package dev.gale.kernels.runtime;

import dev.gale.tensor.DType;
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
    /// System property; `f32` keeps activations in F32 where the device would have them in BF16.
    static final String ACTIVATIONS = "gale.activations";

    /// Any device.
    static final Abilities NONE = new Abilities(DType.F32, false, false);

    /// BF16, `mma` of its tiles and `cp.async` came with Ampere.
    private static final int AMPERE = 8;
    /// How TornadoVM's CUDA backend says the compute capability.
    private static final Pattern VERSION = Pattern.compile("Device version\\s*: CUDA (\\d+)\\.");

    /// A GPU of NVIDIA through TornadoVM's CUDA backend, one whose generation is not told taken for a recent one.
    ///
    /// @param info what TornadoVM says about the device
    static Abilities cuda(String info) {
        Matcher version = VERSION.matcher(info);
        boolean matrixUnit = !version.find() || Integer.parseInt(version.group(1)) >= AMPERE;
        boolean wide = !matrixUnit || "f32".equals(System.getProperty(ACTIVATIONS));
        boolean cublas = matrixUnit && CublasLibrary.isPresent();
        return new Abilities(wide ? DType.F32 : DType.BF16, matrixUnit, cublas);
    }

    /// For people.
    List<String> names() {
        List<String> names = new ArrayList<>();
        if (matrixUnit) names.addAll(List.of("bf16", "mma", "cp.async"));
        if (cublas) names.add("cublas");
        return names;
    }
}
