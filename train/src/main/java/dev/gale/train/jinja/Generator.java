package dev.gale.train.jinja;

import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Queue;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;

/// A Python generator: computes its items when they are asked for, and can be read only once.
///
/// It opens its source only when the first item is wanted, so a fault in it shows up no earlier than in Python.
final class Generator implements Iterator<Object> {
    private final Supplier<? extends Iterator<?>> opening;
    private Iterator<?> source;

    Generator(Supplier<? extends Iterator<?>> opening) {
        this.opening = opening;
    }

    static Generator mapping(Supplier<? extends Iterator<?>> items, Function<Object, Object> function) {
        return new Generator(() -> {
            Iterator<?> source = items.get();
            return new Iterator<Object>() {
                @Override
                public boolean hasNext() {
                    return source.hasNext();
                }

                @Override
                public Object next() {
                    return function.apply(source.next());
                }
            };
        });
    }

    static Generator selecting(Supplier<? extends Iterator<?>> items, Predicate<Object> condition) {
        return new Generator(() -> new Selection(items.get(), condition));
    }

    @Override
    public boolean hasNext() {
        if (source == null) {
            source = opening.get();
        }
        return source.hasNext();
    }

    @Override
    public Object next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        return source.next();
    }

    private static final class Selection implements Iterator<Object> {
        private final Iterator<?> source;
        private final Predicate<Object> condition;
        /// Holds the next item if it is known; `NULL` stands for null.
        private final Queue<Object> found = new ArrayDeque<>(1);
        private static final Object NULL = new Object();

        Selection(Iterator<?> source, Predicate<Object> condition) {
            this.source = source;
            this.condition = condition;
        }

        @Override
        public boolean hasNext() {
            while (found.isEmpty() && source.hasNext()) {
                Object item = source.next();
                if (condition.test(item)) {
                    found.add(item == null ? NULL : item);
                }
            }
            return !found.isEmpty();
        }

        @Override
        public Object next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            Object item = found.remove();
            return item == NULL ? null : item;
        }
    }
}
