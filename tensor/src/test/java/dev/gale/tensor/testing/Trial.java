package dev.gale.tensor.testing;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/// One call of an operation with named operands, to be made by different implementations on equal inputs.
///
/// Outputs start as NaN, so that an element that is not written, or is read first, shows. Inputs must come out as they
/// went in, and an implementation must give the same bits twice.
public final class Trial {
    /// For implementations that are made and closed by the thousand: zeroing larger chunks would take most of the time.
    public static final long CHUNK_BYTES = 1 << 16;

    private final Map<String, Operand> operands = new LinkedHashMap<>();
    private final Operation operation;

    private enum Role { INPUT, INOUT, OUTPUT }

    private record Operand(DType dtype, Shape shape, float[] floats, int[] ints, Role role) {}

    /// The call under test; operands are found by name.
    @FunctionalInterface
    public interface Operation {
        void run(TensorOps ops, Map<String, Tensor> operands);
    }

    /// Which outputs a run made, by name.
    public record Outputs(Map<String, float[]> byName) {
        public float[] get(String name) {
            return byName.get(name);
        }
    }

    public Trial(Operation operation) {
        this.operation = operation;
    }

    public Trial input(String name, float[] values, int... dims) {
        return input(name, DType.F32, values, dims);
    }

    public Trial input(String name, DType dtype, float[] values, int... dims) {
        operands.put(name, new Operand(dtype, Shape.of(dims), values, null, Role.INPUT));
        return this;
    }

    public Trial ints(String name, int... values) {
        operands.put(name, new Operand(DType.I32, Shape.of(values.length), null, values, Role.INPUT));
        return this;
    }

    /// An F32 operand that the call reads and writes: an accumulated result, or one changed in place.
    public Trial inout(String name, float[] values, int... dims) {
        return inout(name, DType.F32, values, dims);
    }

    public Trial inout(String name, DType dtype, float[] values, int... dims) {
        operands.put(name, new Operand(dtype, Shape.of(dims), values, null, Role.INOUT));
        return this;
    }

    /// An F32 operand that the call overwrites.
    public Trial output(String name, int... dims) {
        return output(name, DType.F32, dims);
    }

    public Trial output(String name, DType dtype, int... dims) {
        operands.put(name, new Operand(dtype, Shape.of(dims), null, null, Role.OUTPUT));
        return this;
    }

    public DType dtype(String name) {
        return operands.get(name).dtype();
    }

    /// Whether the call has an operand of that name.
    public boolean has(String name) {
        return operands.containsKey(name);
    }

    /// The same call on magnitudes, which gives sums of magnitudes of operations that are sums of products.
    public Trial ofMagnitudes() {
        Trial absolute = new Trial(operation);
        operands.forEach((name, operand) -> absolute.operands.put(name, mapped(operand, values -> {
            for (int i = 0; i < values.length; i++) values[i] = Math.abs(values[i]);
            return values;
        })));
        return absolute;
    }

    /// The same call with one element of an operand replaced.
    public Trial with(String name, int index, float value) {
        Trial changed = new Trial(operation);
        changed.operands.putAll(operands);
        changed.operands.put(name, mapped(operands.get(name), values -> {
            values[index] = value;
            return values;
        }));
        return changed;
    }

    private static Operand mapped(Operand operand, UnaryOperator<float[]> change) {
        float[] floats = operand.floats() == null ? null : change.apply(operand.floats().clone());
        return new Operand(operand.dtype(), operand.shape(), floats, operand.ints(), operand.role());
    }

    /// What ReferenceOps makes of it.
    public Outputs reference() {
        return run(new ReferenceOps(CHUNK_BYTES));
    }

    /// Runs on a fresh implementation and closes it.
    public Outputs run(TensorOps fresh) {
        try (fresh) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            operands.forEach((name, operand) -> tensors.put(name, place(fresh, name, operand)));
            operation.run(fresh, tensors);
            Map<String, float[]> outputs = new LinkedHashMap<>();
            operands.forEach((name, operand) -> {
                Tensor tensor = tensors.get(name);
                if (operand.role() != Role.INPUT) outputs.put(name, fresh.toFloats(tensor));
                else if (operand.ints() != null) assertArrayEquals(operand.ints(), fresh.toInts(tensor), name);
                else TensorAssert.assertEqual(name + " (an input)", stored(operand), fresh.toFloats(tensor));
            });
            return new Outputs(outputs);
        }
    }

    private static Tensor place(TensorOps ops, String name, Operand operand) {
        Tensor tensor = ops.allocate(name, operand.dtype(), operand.shape());
        if (operand.ints() != null) ops.write(tensor, operand.ints());
        else if (operand.floats() != null) ops.write(tensor, operand.floats());
        else ops.fill(tensor, Float.NaN);
        return tensor;
    }

    private static float[] stored(Operand operand) {
        try (TensorOps ops = new ReferenceOps(CHUNK_BYTES)) {
            return ops.toFloats(place(ops, "input", operand));
        }
    }

    /// Runs twice on an implementation, with the same bits both times.
    public Outputs runTwice(Supplier<TensorOps> implementation) {
        Outputs first = run(implementation.get());
        Outputs second = run(implementation.get());
        first.byName().forEach((name, values) -> TensorAssert.assertEqual(name + " (a second run)", values,
                second.get(name)));
        return first;
    }

    /// With NaN in each floating input in turn: the outputs are NaN exactly where the reference's are.
    public void spreadsNaN(Supplier<TensorOps> implementation) {
        operands.forEach((name, operand) -> {
            if (operand.floats() == null || operand.floats().length == 0) return;
            Trial poisoned = with(name, operand.floats().length / 2, Float.NaN);
            Outputs want = poisoned.reference();
            Outputs got = poisoned.run(implementation.get());
            want.byName().forEach((output, values) ->
                    TensorAssert.assertEqual(output + " with NaN in " + name, nans(values), nans(got.get(output))));
        });
    }

    private static float[] nans(float[] values) {
        float[] pattern = new float[values.length];
        for (int i = 0; i < pattern.length; i++) pattern[i] = Float.isNaN(values[i]) ? Float.NaN : 0;
        return pattern;
    }
}
