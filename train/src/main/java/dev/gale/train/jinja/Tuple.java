package dev.gale.train.jinja;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/// A Python tuple, or a named one; the names do not count when tuples are compared.
///
/// @param items what it holds
/// @param names by which a template can reach the first items; none for a plain tuple
record Tuple(List<Object> items, List<String> names) {
    Tuple(List<Object> items) {
        this(items, List.of());
    }

    static Tuple of(Object... items) {
        return new Tuple(Collections.unmodifiableList(Arrays.asList(items)));
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Tuple tuple && items.equals(tuple.items);
    }

    @Override
    public int hashCode() {
        return items.hashCode();
    }
}
