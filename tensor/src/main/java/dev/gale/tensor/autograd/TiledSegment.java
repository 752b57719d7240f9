package dev.gale.tensor.autograd;

/// A piece of a forward pass that treats each row alone, such as an MLP.
@FunctionalInterface
public interface TiledSegment {
    /// The same piece for the rows of a tile; random numbers differ from tile to tile.
    ///
    /// @param number of the tile, from 0
    Segment of(int number);
}
