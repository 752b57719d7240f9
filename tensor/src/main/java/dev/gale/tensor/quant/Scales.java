package dev.gale.tensor.quant;

import dev.gale.tensor.Tensor;
import java.util.List;

/// The numbers that the codes of a quantized tensor are multiplied with.
///
/// @param absmax largest magnitude of each block; F32 `[blocks]` or, with double quantization, U8 codes `[blocks]`
/// @param nested null without double quantization, else F32 `[257 + factors]`: the values of absmax's 256 codes, the offset
///               that is added, and for each `Nf4.NESTED_BLOCK` blocks the factor before that
public record Scales(Tensor absmax, Tensor nested) {
    /// Values of absmax's codes.
    static final int CODES = 256;
    /// Where in `nested` the offset stands.
    public static final int OFFSET = CODES;
    /// Where in `nested` the factors begin.
    public static final int FACTORS = CODES + 1;

    /// Those there are.
    public List<Tensor> tensors() {
        return nested == null ? List.of(absmax) : List.of(absmax, nested);
    }

    /// Bytes of all.
    public long byteSize() {
        return tensors().stream().mapToLong(Tensor::byteSize).sum();
    }
}
