package dev.gale.train.jinja;

import java.util.List;

/// What `cycler(...)` makes: gives its items one after the other, again and again.
final class Cycler {
    private final List<Object> items;
    private int position;

    Cycler(List<Object> items) {
        this.items = items;
    }

    /// A method or property, or [Values#ABSENT].
    Object member(String name) {
        return switch (name) {
            case "current" -> items.get(position);
            case "next" -> new Callable.Function(name, "method", arguments -> {
                Object item = items.get(position);
                position = (position + 1) % items.size();
                return item;
            });
            case "reset" -> new Callable.Function(name, "method", arguments -> {
                position = 0;
                return null;
            });
            default -> Values.ABSENT;
        };
    }
}
