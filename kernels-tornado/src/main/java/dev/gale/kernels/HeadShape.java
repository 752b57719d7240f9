package dev.gale.kernels;

/// Element type and heads of an attention, packed into one constant, because a task has at most 20 parameters.
///
/// Bits from the lowest: two for the type of q, k, v, o and their gradients; two for the gradient that is asked for; nine
/// for the width of a head; seven for the query heads that share a key head; ten for the key heads.
public final class HeadShape {
    /// Widest head that the kernels take.
    public static final int MOST_DIMS = 256;
    public static final int DQ = 1;
    public static final int DK = 2;
    public static final int DV = 3;

    private HeadShape() {}

    /// @param type     of q, k, v, o and their gradients, which are alike
    /// @param gradient `DQ`, `DK`, `DV`, or 0 in forward
    public static int of(int type, int gradient, int numHeads, int numKvHeads, int headDim) {
        if (headDim > MOST_DIMS) {
            throw new IllegalArgumentException("attention on the GPU takes heads of at most %d elements, got %d"
                    .formatted(MOST_DIMS, headDim));
        }
        int group = numHeads / numKvHeads;
        if (group > 127 || numKvHeads > 1023) {
            throw new IllegalArgumentException("attention on the GPU takes at most 1023 key heads and 127 query heads "
                    + "for each, got %d query and %d key heads".formatted(numHeads, numKvHeads));
        }
        return type + 4 * gradient + 16 * headDim + 8192 * group + 1048576 * numKvHeads;
    }

    static int type(int shape) {
        return shape & 3;
    }

    static int gradient(int shape) {
        return shape >> 2 & 3;
    }

    static int headDim(int shape) {
        return shape >> 4 & 511;
    }

    /// Query heads that share a key head.
    static int group(int shape) {
        return shape >> 13 & 127;
    }

    static int numKvHeads(int shape) {
        return shape >> 20 & 1023;
    }

    static int numHeads(int shape) {
        return group(shape) * numKvHeads(shape);
    }
}
