package dev.gale.kernels.runtime;

import java.util.Arrays;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.common.Access;
import uk.ac.manchester.tornado.api.common.LibraryTaskDescriptor;
import uk.ac.manchester.tornado.api.types.arrays.BFloat16Array;

/// Matrix products by cuBLAS, as tasks of a graph. They work on whole arrays: an operand is
/// what a chunk begins with.
final class Cublas {
    /// How many parameters the call has, and which is the result.
    static final int PARAMETERS = 13;
    private static final int Y = 11;

    private Cublas() {}

    /// A matrix as it is stored, and whether the product takes it transposed.
    ///
    /// @param cols of what is stored
    record Side(boolean transposed, int cols) {
        private int operation() {
            return transposed ? 1 : 0;
        }
    }

    /// Adds `y = alpha op(x) op(w) + beta y` to a graph.
    /// Shapes: op(x) `[m, k]`, op(w) `[k, n]`, y `[m, n]`, all BF16 and row-major.
    /// Numerics: F32 sums, rounded to BF16 once. Deterministic; how sums are split depends on the shapes, m among them.
    static void multiply(TaskGraph graph, String id, int m, int n, int k, Side x, Side w, float alpha, float beta,
                         BFloat16Array left, BFloat16Array right, BFloat16Array y) {
        graph.libraryTask(id, (l, r, out) -> call(m, n, k, x, w, alpha, beta, l, r, out), left, right, y);
    }

    /// cuBLAS counts by columns: it sees the transpose of what is stored, and makes `yᵀ = op(w)ᵀ op(x)ᵀ` of it.
    private static LibraryTaskDescriptor call(int m, int n, int k, Side x, Side w, float alpha, float beta, BFloat16Array left,
                                              BFloat16Array right, BFloat16Array y) {
        Object[] parameters = {w.operation(), x.operation(), n, m, k, alpha, right, w.cols, left, x.cols, beta, y, n};
        Access[] access = new Access[parameters.length];
        Arrays.fill(access, Access.READ_ONLY);
        access[Y] = beta == 0 ? Access.WRITE_ONLY : Access.READ_WRITE;
        return new LibraryTaskDescriptor().withLibrary(CublasLibrary.NAME).withFunction(CublasLibrary.GEMM)
                .withParameters(parameters).withAccess(access);
    }
}
