package dev.gale.tensor;

/// Element types a tensor may hold.
///
/// Floating point types take part in arithmetic and are always accumulated in F32 or wider; I32 holds token ids,
/// positions and sequence boundaries; U8 holds packed codes.
public enum DType {
    F32(4), BF16(2), F16(2), I32(4), U8(1);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /// Bytes per element.
    public int bytes() {
        return bytes;
    }

    /// True for the types that arithmetic accepts.
    public boolean floating() {
        return this == F32 || this == BF16 || this == F16;
    }
}
