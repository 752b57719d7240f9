package dev.gale.kernels;

/// What a product is made of, packed into one constant, because a task has at most 20 parameters.
///
/// Bits from the lowest: two for each of the types of y, x, w, bias and residual; one each for the transposition of x
/// and of w; the rest is the rank of the side path, 0 for none.
public final class ProductForm {
    /// The type of a bias or residual that is not there.
    public static final int ABSENT = 3;
    /// The type of a w of 4-bit codes.
    public static final int NF4 = 3;

    private ProductForm() {}

    /// @param wType        a type of `Elements` or `NF4`
    /// @param biasType     a type of `Elements` or `ABSENT`, as residualType
    /// @param transposeX   1: x is stored `[k, m]`
    /// @param transposeW   1: w is stored `[n, k]`
    public static int of(int yType, int xType, int wType, int biasType, int residualType, int transposeX,
            int transposeW, int rank) {
        return yType + 4 * xType + 16 * wType + 64 * biasType + 256 * residualType + 1024 * transposeX
                + 2048 * transposeW + 4096 * rank;
    }

    /// The form of `c = alpha op(a) op(b)`; with accumulate, the residual is c itself.
    public static int matmul(int cType, int aType, boolean transposeA, int bType, boolean transposeB,
            boolean accumulate) {
        return of(cType, aType, bType, ABSENT, accumulate ? cType : ABSENT, transposeA ? 1 : 0, transposeB ? 1 : 0, 0);
    }

    public static int yType(int form) {
        return form & 3;
    }

    static int xType(int form) {
        return form >> 2 & 3;
    }

    static int wType(int form) {
        return form >> 4 & 3;
    }

    public static int biasType(int form) {
        return form >> 6 & 3;
    }

    public static int residualType(int form) {
        return form >> 8 & 3;
    }

    static int transposeX(int form) {
        return form >> 10 & 1;
    }

    static int transposeW(int form) {
        return form >> 11 & 1;
    }

    public static int rank(int form) {
        return form >> 12 & 0xfffff;
    }
}
