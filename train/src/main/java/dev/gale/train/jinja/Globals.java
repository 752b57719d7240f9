package dev.gale.train.jinja;

import dev.gale.train.jinja.Callable.Function;
import dev.gale.train.jinja.TemplateException.Kind;
import java.time.Clock;
import java.time.ZonedDateTime;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The functions that every template can call.
final class Globals {
    private Globals() {}

    static Map<String, Object> of(Values values, Clock clock) {
        Map<String, Object> globals = new HashMap<>();
        define(globals, "range", Globals::range);
        define(globals, "dict", arguments -> dict(arguments, values));
        define(globals, "namespace", arguments -> new Namespace(dict(arguments, values)));
        define(globals, "cycler", Globals::cycler);
        define(globals, "joiner", arguments -> joiner(arguments.bind("joiner", 0, "sep").get(0, ", ")));
        define(globals, "raise_exception", arguments -> {
            Object message = arguments.bind("raise_exception", 1, "message").get(0);
            throw new TemplateException(Kind.RAISED, values.string(message));
        });
        define(globals, "strftime_now", arguments -> {
            Object format = arguments.bind("strftime_now", 1, "format").get(0);
            if (!Types.isText(format)) {
                throw TemplateException.type("strftime() argument 1 must be str, not %s", Types.name(format));
            }
            return Strftime.format(Types.text(format), ZonedDateTime.now(clock));
        });
        return globals;
    }

    private static void define(Map<String, Object> globals, String name,
            java.util.function.Function<Arguments, Object> body) {
        globals.put(name, new Function(name, body));
    }

    private static Object range(Arguments arguments) {
        List<Object> bounds = arguments.positional();
        if (!arguments.named().isEmpty()) {
            throw TemplateException.type("safe_range() got an unexpected keyword argument %s",
                    Repr.quote(arguments.named().keySet().iterator().next()));
        }
        if (bounds.isEmpty() || bounds.size() > 3) {
            throw TemplateException.type("range expected at %s, got %d",
                    bounds.isEmpty() ? "least 1 argument" : "most 3 arguments", bounds.size());
        }
        long first = Numbers.index(bounds.getFirst());
        long step = bounds.size() == 3 ? Numbers.index(bounds.get(2)) : 1;
        return bounds.size() == 1 ? new Range(0, first, 1) : new Range(first, Numbers.index(bounds.get(1)), step);
    }

    private static Map<Object, Object> dict(Arguments arguments, Values values) {
        Map<Object, Object> dict = new LinkedHashMap<>();
        if (arguments.positional().size() > 1) {
            throw TemplateException.type("dict expected at most 1 argument, got %d", arguments.positional().size());
        }
        for (Object source : arguments.positional()) {
            if (source instanceof Map<?, ?> other) {
                dict.putAll(other);
            } else {
                addPairs(dict, values.iterate(source), values);
            }
        }
        arguments.named().forEach((name, value) -> values.put(dict, name, value));
        return dict;
    }

    private static void addPairs(Map<Object, Object> dict, Iterator<Object> pairs, Values values) {
        for (int i = 0; pairs.hasNext(); i++) {
            Object pair = pairs.next();
            if (!Values.isIterable(pair)) {
                throw TemplateException.type("cannot convert dictionary update sequence element #%d to a sequence", i);
            }
            List<Object> entry = values.list(pair);
            if (entry.size() != 2) {
                throw TemplateException.value("dictionary update sequence element #%d has length %d; 2 is required", i,
                        entry.size());
            }
            values.put(dict, entry.get(0), entry.get(1));
        }
    }

    private static Object cycler(Arguments arguments) {
        if (arguments.positional().isEmpty()) {
            throw new TemplateException(Kind.RUNTIME, "at least one item has to be provided");
        }
        return new Cycler(arguments.positional());
    }

    private static Object joiner(Object separator) {
        boolean[] used = new boolean[1];
        return new Function("joiner", "Joiner", arguments -> {
            arguments.bind("__call__", 0);
            boolean first = !used[0];
            used[0] = true;
            return first ? "" : separator;
        });
    }
}
