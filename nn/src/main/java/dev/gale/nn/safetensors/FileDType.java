package dev.gale.nn.safetensors;

import dev.gale.tensor.DType;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Element types a safetensors file may hold. Source: safetensors format, dtype names of its header.
public enum FileDType {
    BOOL(1), U8(1), I8(1), F8_E4M3(1), F8_E5M2(1), I16(2), U16(2), F16(2), BF16(2), I32(4), U32(4), F32(4),
    I64(8), U64(8), F64(8);

    private final int bytes;

    FileDType(int bytes) {
        this.bytes = bytes;
    }

    /// Bytes per element.
    public int bytes() {
        return bytes;
    }

    /// The dtype that a tensor of these bytes has in memory, if there is one; codes of weights are none, they need scales.
    public Optional<DType> inMemory() {
        return inMemoryTypes().filter(dtype -> dtype.name().equals(name())).findFirst();
    }

    private static Stream<DType> inMemoryTypes() {
        return Arrays.stream(DType.values()).filter(dtype -> !dtype.quantized());
    }

    static String computed() {
        return inMemoryTypes().toList().toString();
    }

    static Optional<FileDType> named(String name) {
        return Arrays.stream(values()).filter(dtype -> dtype.name().equals(name)).findFirst();
    }

    static String known() {
        return Arrays.stream(values()).map(Enum::name).collect(Collectors.joining(", "));
    }
}
