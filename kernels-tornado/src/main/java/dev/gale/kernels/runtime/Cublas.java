package dev.gale.kernels.runtime;

import java.util.Arrays;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.common.Access;
import uk.ac.manchester.tornado.api.common.LibraryTaskDescriptor;
import uk.ac.manchester.tornado.api.types.arrays.BFloat16Array;

/// Matrix products by cuBLAS, as library tasks of TornadoVM's module tornado.cublas. They work on whole arrays: an operand is
/// what a chunk begins with.
final class Cublas {
    static final String MODULE = "tornado.cublas";
    private static final int Y = 11;                 // of the call's parameters

    private Cublas() {}

    /// Adds `y = alpha x op(w) + beta y` to a graph.
    /// Shapes: x `[m, k]`, w `[n, k]` when it is transposed and `[k, n]` else, y `[m, n]`, all BF16 and row-major.
    /// Numerics: F32 sums, rounded to BF16 once. Deterministic; how sums are split depends on the shapes, m among them.
    static void multiply(TaskGraph graph, String id, int m, int n, int k, boolean transposeW, float alpha, float beta,
                         BFloat16Array x, BFloat16Array w, BFloat16Array y) {
        graph.libraryTask(id, (left, right, out) -> call(m, n, k, transposeW, alpha, beta, left, right, out), x, w, y);
    }

    /// cuBLAS counts by columns: it makes `yᵀ = op(w)ᵀ xᵀ` of what it sees as wᵀ and xᵀ.
    private static LibraryTaskDescriptor call(int m, int n, int k, boolean transposeW, float alpha, float beta, BFloat16Array x,
                                              BFloat16Array w, BFloat16Array y) {
        Object[] parameters = {transposeW ? 1 : 0, 0, n, m, k, alpha, w, transposeW ? k : n, x, k, beta, y, n};
        Access[] access = new Access[parameters.length];
        Arrays.fill(access, Access.READ_ONLY);
        access[Y] = beta == 0 ? Access.WRITE_ONLY : Access.READ_WRITE;
        return new LibraryTaskDescriptor().withLibrary("nvidia/cublas").withFunction("cublasGemmExBF16")
                .withParameters(parameters).withAccess(access);
    }
}
