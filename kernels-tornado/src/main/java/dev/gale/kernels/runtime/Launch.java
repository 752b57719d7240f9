package dev.gale.kernels.runtime;

import dev.gale.kernels.Elements;
import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.types.arrays.BFloat16Array;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// One kernel on some tensors. Where in their chunks the tensors lie is not part of what gets compiled: launches of equal
/// `signature` share their compiled code and their place in a captured graph.
///
/// @param kernel    its name
/// @param grid      null for a library's call
/// @param constants numbers that are compiled in
/// @param operands  in the order in which the kernel reads their offsets from the table
/// @param task      adds the kernel to a graph
record Launch(String kernel, Grid grid, List<Number> constants, List<Operand> operands, Task task) {

    /// Adds a kernel to a graph.
    @FunctionalInterface
    interface Task {
        void addTo(TaskGraph graph, String id, Arguments arguments);
    }

    /// Where a tensor lies; it may be released, and its memory be used again by a later launch, before this one runs.
    ///
    /// @param first index of its first element in the chunk, in elements of its dtype
    record Operand(DeviceChunk chunk, DType dtype, int first) {
        static Operand of(Tensor tensor) {
            DeviceStorage storage = DeviceStorage.of(tensor);
            return new Operand(storage.chunk(), tensor.dtype(), storage.first(tensor.dtype()));
        }
    }

    /// What every kernel gets, and views on its operands.
    ///
    /// @param slot of the table where the offset of the first operand stands
    /// @param used takes up every view that is asked for
    record Arguments(KernelContext context, IntArray table, int slot, List<Operand> operands,
                     Map<DeviceChunk, SequencedSet<Object>> used) {
        FloatArray floats(int operand) {
            return used(operand, operands.get(operand).chunk.floats(view(operand)));
        }

        ShortArray halves(int operand) {
            return used(operand, operands.get(operand).chunk.halves(view(operand)));
        }

        IntArray ints(int operand) {
            return used(operand, operands.get(operand).chunk.ints(view(operand)));
        }

        /// Four elements of a 16-bit dtype each: the offset of an operand in longs is a quarter of that in the table.
        LongArray longs(int operand) {
            return used(operand, operands.get(operand).chunk.longs(view(operand)));
        }

        /// The whole chunk of an operand, for libraries.
        BFloat16Array brains(int operand) {
            return used(operand, operands.get(operand).chunk.brains(view(operand)));
        }

        /// Operands of one chunk have a view each; all first operands of a chunk share one, since the host's work for a graph
        /// grows with the views in it.
        private int view(int operand) {
            int before = 0;
            for (int i = 0; i < operand; i++) if (operands.get(i).chunk == operands.get(operand).chunk) before++;
            return before;
        }

        private <T> T used(int operand, T view) {
            used.computeIfAbsent(operands.get(operand).chunk, chunk -> new LinkedHashSet<>()).add(view);
            return view;
        }

        /// Kernels take both views of an operand and this number.
        int type(int operand) {
            return Launch.type(operands.get(operand).dtype);
        }
    }

    /// The constant of `Elements` for a floating dtype.
    static int type(DType dtype) {
        return switch (dtype) {
            case F32 -> Elements.F32;
            case BF16 -> Elements.BF16;
            case F16 -> Elements.F16;
            default -> throw new IllegalArgumentException("kernels do not read elements of " + dtype);
        };
    }

    /// What is compiled.
    record Signature(String kernel, Grid grid, List<Number> constants, List<Place> places) {}

    /// The part of an operand that is compiled in.
    record Place(DeviceChunk chunk, DType dtype) {}

    Signature signature() {
        return new Signature(kernel, grid, constants, operands.stream().map(o -> new Place(o.chunk, o.dtype)).toList());
    }
}
