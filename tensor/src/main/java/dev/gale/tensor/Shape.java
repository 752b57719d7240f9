package dev.gale.tensor;

import java.util.Arrays;
import java.util.stream.Collectors;

/// Extent of every dimension of a row-major tensor, outermost first. Immutable.
public final class Shape {
    private final int[] dims;

    private Shape(int[] dims) {
        this.dims = dims;
    }

    /// A shape of the given extents; none at all is a scalar.
    /// Throws: ShapeException when an extent is negative.
    public static Shape of(int... dims) {
        for (int dim : dims) {
            if (dim < 0) throw new ShapeException("a dimension cannot be negative: " + Arrays.toString(dims));
        }
        return new Shape(dims.clone());
    }

    public int rank() {
        return dims.length;
    }

    public int dim(int axis) {
        return dims[axis];
    }

    /// Extent of the innermost dimension; 1 for a scalar.
    public int last() {
        return dims.length == 0 ? 1 : dims[dims.length - 1];
    }

    /// Number of innermost vectors: the product of all extents but the last.
    public int rows() {
        long rows = 1;
        for (int i = 0; i < dims.length - 1; i++) rows *= dims[i];
        return Math.toIntExact(rows);
    }

    /// Number of elements.
    public long size() {
        long size = 1;
        for (int dim : dims) size *= dim;
        return size;
    }

    public int[] toArray() {
        return dims.clone();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Shape shape && Arrays.equals(dims, shape.dims);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(dims);
    }

    @Override
    public String toString() {
        return Arrays.stream(dims).mapToObj(Integer::toString).collect(Collectors.joining(", ", "[", "]"));
    }
}
