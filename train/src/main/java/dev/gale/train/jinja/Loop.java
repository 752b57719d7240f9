package dev.gale.train.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.BiFunction;

/// The variable `loop` inside a loop. It reads its items one at a time, and one ahead only when a template asks for
/// what comes next.
final class Loop implements Callable {
    private static final Object NONE_YET = new Object();

    private final Values values;
    private final int depth;
    private final BiFunction<Object, Integer, String> recursion;
    private Iterator<Object> rest;
    private int length;
    private int index = -1;
    private Object previous = NONE_YET;
    private Object current = NONE_YET;
    private Object following = NONE_YET;
    private List<Object> lastSeen;

    /// `depth` counts from 0; `recursion` renders the loop's body for other items one level deeper, or is null.
    Loop(Object items, Values values, int depth, BiFunction<Object, Integer, String> recursion) {
        this.values = values;
        this.depth = depth;
        this.recursion = recursion;
        rest = values.iterate(items);
        length = Values.lengthOrMinusOne(items);
    }

    boolean advance() {
        Object next = peek();
        if (next == NONE_YET) {
            return false;
        }
        following = NONE_YET;
        previous = current;
        current = next;
        index++;
        return true;
    }

    Object current() {
        return current;
    }

    private Object peek() {
        if (following == NONE_YET && rest.hasNext()) {
            following = rest.next();
        }
        return following;
    }

    int index() {
        return index + 1;
    }

    int length() {
        if (length < 0) {
            List<Object> remaining = new ArrayList<>();
            rest.forEachRemaining(remaining::add);
            rest = remaining.iterator();
            length = remaining.size() + index() + (following == NONE_YET ? 0 : 1);
        }
        return length;
    }

    /// A method or property, or [Values#ABSENT].
    Object member(String name) {
        return switch (name) {
            case "index" -> (long) index + 1;
            case "index0" -> (long) index;
            case "revindex" -> (long) length() - index;
            case "revindex0" -> (long) length() - index - 1;
            case "first" -> index == 0;
            case "last" -> peek() == NONE_YET;
            case "length" -> (long) length();
            case "depth" -> (long) depth + 1;
            case "depth0" -> (long) depth;
            case "previtem" -> index == 0 ? Undefined.because("there is no previous item") : previous;
            case "nextitem" -> peek() == NONE_YET ? Undefined.because("there is no next item") : following;
            case "cycle" -> new Function(name, "method", arguments -> cycle(arguments.positional()));
            case "changed" -> new Function(name, "method", arguments -> changed(arguments.positional()));
            default -> Values.ABSENT;
        };
    }

    private Object cycle(List<Object> items) {
        if (items.isEmpty()) {
            throw TemplateException.type("no items for cycling given");
        }
        return items.get(index % items.size());
    }

    private boolean changed(List<Object> seen) {
        boolean changed = lastSeen == null || !values.equal(lastSeen, seen);
        lastSeen = seen;
        return changed;
    }

    @Override
    public Object call(Arguments arguments) {
        Object items = arguments.bind("__call__", 1, "iterable").get(0);
        if (recursion == null) {
            throw TemplateException.type("The loop must have the 'recursive' marker to be called recursively.");
        }
        return recursion.apply(items, depth + 1);
    }

    @Override
    public String typeName() {
        return "LoopContext";
    }
}
