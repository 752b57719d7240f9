package dev.gale.tensor;

/// Element types a tensor may hold.
///
/// Floating point types take part in arithmetic and are always accumulated in F32 or wider; I32 holds token ids,
/// positions and sequence boundaries; U8 holds packed codes. NF4, FP4 and I8 are weights of few bits, which products take and
/// nothing else does: see `dev.gale.tensor.quant.Quantization`.
public enum DType {
    F32(32), BF16(16), F16(16), I32(32), U8(8), NF4(4), FP4(4), I8(8);

    private final int bits;

    DType(int bits) {
        this.bits = bits;
    }

    /// Bytes per element.
    /// Throws: IllegalStateException for a type of which two elements share a byte.
    public int bytes() {
        if (bits < 8) throw new IllegalStateException("an element of " + this + " is no whole number of bytes");
        return bits / 8;
    }

    /// Bytes of so many elements.
    public long bytes(long elements) {
        return (elements * bits + 7) / 8;
    }

    /// True for the types that arithmetic accepts.
    public boolean floating() {
        return this == F32 || this == BF16 || this == F16;
    }

    /// True for weights of few bits.
    public boolean quantized() {
        return this == NF4 || this == FP4 || this == I8;
    }
}
