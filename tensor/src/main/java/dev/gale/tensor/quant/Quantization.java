package dev.gale.tensor.quant;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.ShapeException;
import dev.gale.tensor.Tensor;

/// How a weight is stored in few bits: codes, and a scale for each block of elements of the flattened matrix.
///
/// - NF4 and FP4: `Nf4` and `Fp4`, blocks of 64. NESTED: absmax is quantized too, 256 blocks at a time, by `Dynamic8`, after
///   the mean of all of them was taken off ("double quantization").
/// - INT8: a row is a block; `value = code * absmax / 127`, code = absmax's share rounded to nearest even.
///
/// Source: Dettmers et al. 2023, arXiv 2305.14314; Dettmers et al. 2022, arXiv 2208.07339, for INT8.
public enum Quantization {
    NF4(DType.NF4, false), NF4_NESTED(DType.NF4, true), FP4(DType.FP4, false), FP4_NESTED(DType.FP4, true),
            INT8(DType.I8, false);

    private final DType dtype;
    private final boolean nested;

    Quantization(DType dtype, boolean nested) {
        this.dtype = dtype;
        this.nested = nested;
    }

    /// Of the codes.
    public DType dtype() {
        return dtype;
    }

    /// Whether absmax is quantized too.
    public boolean nested() {
        return nested;
    }

    /// Number of blocks of a weight.
    /// Throws: ShapeException when blocks do not divide it.
    public int blocks(String name, Shape shape) {
        int block = dtype == DType.I8 ? shape.last() : Nf4.BLOCK;
        if (shape.size() % block != 0) {
            throw new ShapeException("%s: the %d elements of %s are no multiple of blocks of %d, which %s needs"
                    .formatted(name, shape.size(), shape, block, this));
        }
        return Math.toIntExact(shape.size() / block);
    }

    /// Bytes of so many elements in one weight, scales included; blocks of INT8 are taken for rows of no less than 64.
    public long bytes(long elements) {
        int blocks = Math.toIntExact(Math.ceilDiv(elements, Nf4.BLOCK));
        return dtype.bytes(elements) + (nested ? blocks + 4L * nestedSize(blocks) : 4L * blocks);
    }

    /// Number of elements of `Scales.nested`.
    public static int nestedSize(int blocks) {
        return Scales.FACTORS + Math.ceilDiv(blocks, Nf4.NESTED_BLOCK);
    }

    /// Of a tensor that is quantized.
    public static Quantization of(Tensor tensor) {
        boolean nested = tensor.scales().nested() != null;
        return switch (tensor.dtype()) {
            case NF4 -> nested ? NF4_NESTED : NF4;
            case FP4 -> nested ? FP4_NESTED : FP4;
            case I8 -> INT8;
            default -> throw new ShapeException(tensor + " is not quantized");
        };
    }
}
