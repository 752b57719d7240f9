package dev.gale.train.jinja;

import dev.gale.train.jinja.Filters.Filter;
import dev.gale.train.jinja.TemplateException.Kind;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;

/// Filters that apply another filter or a test to every item: `map`, `select`, `reject` and their kin. All of them are
/// lazy, so what is wrong with them shows up when their items are read.
final class SelectionFilters {
    private SelectionFilters() {}

    static void define(Map<String, Filter> filters) {
        filters.put("map", SelectionFilters::map);
        filters.put("select", (f, input, arguments) -> select(f, input, arguments, false, true));
        filters.put("reject", (f, input, arguments) -> select(f, input, arguments, false, false));
        filters.put("selectattr", (f, input, arguments) -> select(f, input, arguments, true, true));
        filters.put("rejectattr", (f, input, arguments) -> select(f, input, arguments, true, false));
    }

    private static Object map(Filters f, Object input, Arguments arguments) {
        return new Generator(() -> {
            if (!Types.truth(input)) {
                return Collections.emptyIterator();
            }
            Function<Object, Object> function = mapping(f, arguments);
            return Generator.mapping(() -> f.values.iterate(input), function);
        });
    }

    private static Function<Object, Object> mapping(Filters f, Arguments arguments) {
        if (arguments.positional().isEmpty() && arguments.named().containsKey("attribute")) {
            Map<String, Object> named = new LinkedHashMap<>(arguments.named());
            Lookup lookup = Lookup.of(named.remove("attribute"), named.remove("default"), f);
            if (!named.isEmpty()) {
                throw new TemplateException(Kind.ARGUMENT,
                        "Unexpected keyword argument " + Repr.quote(named.keySet().iterator().next()));
            }
            return lookup::in;
        }
        if (arguments.positional().isEmpty()) {
            throw new TemplateException(Kind.ARGUMENT, "map requires a filter argument");
        }
        String name = f.values.string(arguments.positional().getFirst());
        if (!Filters.names().contains(name)) {
            throw new TemplateException(Kind.RUNTIME, "No filter named " + Repr.quote(name) + ".");
        }
        return item -> f.apply(name, item, arguments.skip(1));
    }

    private static Object select(Filters f, Object input, Arguments arguments, boolean byAttribute, boolean wanted) {
        return new Generator(() -> {
            if (!Types.truth(input)) {
                return Collections.emptyIterator();
            }
            Predicate<Object> condition = condition(f, arguments, byAttribute);
            return Generator.selecting(() -> f.values.iterate(input), item -> condition.test(item) == wanted);
        });
    }

    private static Predicate<Object> condition(Filters f, Arguments arguments, boolean byAttribute) {
        List<Object> positional = arguments.positional();
        if (byAttribute && positional.isEmpty()) {
            throw new TemplateException(Kind.ARGUMENT, "Missing parameter for attribute name");
        }
        Lookup subject = byAttribute ? Lookup.of(positional.getFirst(), f) : item -> item;
        int test = byAttribute ? 1 : 0;
        if (positional.size() == test) {
            return item -> Types.truth(subject.in(item));
        }
        String name = f.values.string(positional.get(test));
        if (!Tests.names().contains(name)) {
            throw new TemplateException(Kind.RUNTIME, "No test named " + Repr.quote(name) + ".");
        }
        return item -> f.tests.holds(name, subject.in(item), arguments.skip(test + 1));
    }
}
