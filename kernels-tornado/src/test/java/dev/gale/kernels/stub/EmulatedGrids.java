package dev.gale.kernels.stub;

import dev.gale.kernels.emulator.KernelEmulator;
import dev.gale.kernels.emulator.KernelFault;
import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tornado.stub.GridRunner;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.function.Consumer;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.common.LibraryTaskDescriptor;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/// Lets plans of the stand-in run their kernels on the emulator, once each, and cuBLAS' product of BF16 matrices in a loop.
public final class EmulatedGrids implements GridRunner {
    @Override
    public void run(String task, long[] global, long[] local, Consumer<KernelContext> kernel, Object[] arguments) {
        try {
            grid(global, local).arrays(arguments).once().run(kernel);
        } catch (KernelFault e) {
            if (!(e.getCause() instanceof ClassCastException cast)) throw e;
            runByName(cast, grid(global, local), arguments);
        }
    }

    private static KernelEmulator grid(long[] global, long[] local) {
        return KernelEmulator.grid(Math.toIntExact(global[0]), Math.toIntExact(global[1]), Math.toIntExact(global[2]))
                .group(Math.toIntExact(local[0]), Math.toIntExact(local[1]), Math.toIntExact(local[2]));
    }

    /// A kernel that hands local memory to the matrix unit fails at its beginning, before it writes anything, at the cast that
    /// `SharedFloats` replaces; from there its name is known.
    private static void runByName(ClassCastException cast, KernelEmulator emulator, Object[] arguments) {
        StackTraceElement kernel = cast.getStackTrace()[0];
        Object[] rest = Arrays.stream(arguments).filter(argument -> !(argument instanceof KernelContext)).toArray();
        try {
            emulator.arrays(rest).once().run(Class.forName(kernel.getClassName()), kernel.getMethodName(), rest);
        } catch (ClassNotFoundException e) {
            cast.addSuppressed(e);
            throw cast;
        }
    }

    @Override
    public void library(String task, LibraryTaskDescriptor call) {
        if (!call.getFunctionName().equals("cublasGemmEx")) {
            throw new UnsupportedOperationException(task + " calls " + call.getFunctionName() + ", which is not emulated");
        }
        Object[] p = call.getParameters();
        Matrix a = new Matrix(p[6], (int) p[7], (int) p[0] == 1);
        Matrix b = new Matrix(p[8], (int) p[9], (int) p[1] == 1);
        Matrix c = new Matrix(p[11], (int) p[12], false);
        float beta = (float) p[10];
        for (int i = 0; i < (int) p[2]; i++) {
            for (int j = 0; j < (int) p[3]; j++) {
                double sum = 0;
                for (int l = 0; l < (int) p[4]; l++) sum += (double) a.get(i, l) * b.get(l, j);
                c.set(i, j, (float) ((float) p[5] * sum + (beta == 0 ? 0 : beta * c.get(i, j))));
            }
        }
    }

    /// BF16 elements, column by column, of which cuBLAS takes the transpose when asked.
    private record Matrix(MemorySegment bytes, int columnLength, boolean transposed) {
        Matrix(Object array, int columnLength, boolean transposed) {
            this(((TornadoNativeArray) array).getSegmentWithHeader().asSlice(TornadoNativeArray.ARRAY_HEADER), columnLength,
                    transposed);
        }

        private int at(int row, int col) {
            return transposed ? row * columnLength + col : col * columnLength + row;
        }

        float get(int row, int col) {
            return Convert.get(bytes, DType.BF16, at(row, col));
        }

        void set(int row, int col, float value) {
            Convert.set(bytes, DType.BF16, at(row, col), value);
        }
    }
}
