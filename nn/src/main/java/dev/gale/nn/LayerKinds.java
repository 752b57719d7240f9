package dev.gale.nn;

import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;

/// In what layers of one model differ from each other.
///
/// @param window      tokens that a layer with a sliding window sees, itself counted; 0 when no layer has one
/// @param sliding     per layer whether it has the window; empty for all, if there is a window
/// @param rotated     per layer whether q and k are rotated; empty for all
/// @param slidingRope rotary embedding of layers with the window; null for that of the others
public record LayerKinds(int window, List<Boolean> sliding, List<Boolean> rotated, RopeConfig slidingRope) {
    /// All layers alike, and all see the whole sequence.
    public static final LayerKinds ALIKE = new LayerKinds(0, List.of(), List.of(), null);

    public LayerKinds {
        sliding = List.copyOf(sliding);
        rotated = List.copyOf(rotated);
    }

    /// All layers have a sliding window, if it is not 0.
    static LayerKinds sliding(int window) {
        return new LayerKinds(window, List.of(), List.of(), null);
    }

    boolean slides(int layer) {
        return window > 0 && (sliding.isEmpty() || sliding.get(layer));
    }

    /// The window of a layer, 0 when it sees the whole sequence.
    int window(int layer) {
        return slides(layer) ? window : 0;
    }

    boolean rotates(int layer) {
        return rotated.isEmpty() || rotated.get(layer);
    }

    boolean hasWindow() {
        return window > 0 && (sliding.isEmpty() || sliding.contains(true));
    }

    /// A list that says the same of every layer is left out.
    static List<Boolean> unlessAll(boolean usual, Stream<Boolean> layers) {
        List<Boolean> list = layers.toList();
        return Collections.frequency(list, usual) == list.size() ? List.of() : list;
    }
}
