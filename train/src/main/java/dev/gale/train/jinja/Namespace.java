package dev.gale.train.jinja;

import java.util.Map;

/// What `namespace(...)` makes: fields that an inner scope can assign.
record Namespace(Map<Object, Object> fields) {
    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }
}
