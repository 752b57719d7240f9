package dev.gale.kernels.emulator;

/// Three numbers, x fastest: a grid, a group or a place in one.
record Extent(int x, int y, int z) {

    int size() {
        return Math.multiplyExact(Math.multiplyExact(x, y), z);
    }

    /// Where the element `index` of this extent lies.
    Extent place(int index) {
        return new Extent(index % x, index / x % y, index / x / y);
    }

    Extent dividedBy(Extent group) {
        if (x % group.x != 0 || y % group.y != 0 || z % group.z != 0) {
            throw new IllegalArgumentException("a grid of " + this + " is not a whole number of groups of " + group);
        }
        return new Extent(x / group.x, y / group.y, z / group.z);
    }

    @Override
    public String toString() {
        return "(" + x + ", " + y + ", " + z + ")";
    }
}
