package dev.gale.kernels.runtime;

import dev.gale.tensor.DType;

/// What a device can do beyond plain arithmetic: decides which kernels are chosen, whether the device is there or only planned.
///
/// @param activationType in which activations and their gradients are kept
/// @param matrixUnit     whether it multiplies tiles of 16-bit elements, as CUDA's `mma` does
/// @param cublas         whether TornadoVM offers cuBLAS on it
record Abilities(DType activationType, boolean matrixUnit, boolean cublas) {
    /// System property; `f32` keeps activations in F32 where the device would have them in BF16.
    static final String ACTIVATIONS = "gale.activations";

    /// Any device.
    static final Abilities NONE = new Abilities(DType.F32, false, false);

    /// A GPU of NVIDIA, Ampere or later, through TornadoVM's CUDA backend.
    static Abilities cuda() {
        DType activations = "f32".equals(System.getProperty(ACTIVATIONS)) ? DType.F32 : DType.BF16;
        return new Abilities(activations, true, ModuleLayer.boot().findModule(Cublas.MODULE).isPresent());
    }
}
