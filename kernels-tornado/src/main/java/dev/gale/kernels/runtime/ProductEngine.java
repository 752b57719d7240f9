package dev.gale.kernels.runtime;

import java.util.Arrays;
import java.util.Locale;

/// What makes the matrix products that more than one kernel can make.
enum ProductEngine {
    /// Tiles in local memory, F32 arithmetic: any device, any operands.
    TILED,
    /// The matrix unit, for 16-bit operands, which stay as they are; the rest as `TILED`.
    MMA,
    /// cuBLAS, for BF16 operands and results; the rest as `MMA`.
    CUBLAS;

    /// System property that names one; else the device decides.
    static final String PROPERTY = "gale.products";

    /// Throws: IllegalArgumentException when the property names none.
    static ProductEngine of(Abilities abilities) {
        String name = System.getProperty(PROPERTY);
        if (name == null) return abilities.cublas() ? CUBLAS : abilities.matrixUnit() ? MMA : TILED;
        return Arrays.stream(values()).filter(engine -> engine.name().toLowerCase(Locale.ROOT).equals(name)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("%s is \"%s\", but must be one of %s".formatted(PROPERTY, name,
                        Arrays.toString(values()).toLowerCase(Locale.ROOT))));
    }
}
