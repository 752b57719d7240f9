package dev.gale.train.jinja;

import dev.gale.train.jinja.TemplateException.Kind;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/// What can follow `|`: the filters by name.
final class Filters {
    /// One filter.
    interface Filter {
        Object apply(Filters filters, Object input, Arguments arguments);
    }

    private static final Map<String, Filter> FILTERS = new HashMap<>();

    static {
        TextFilters.define(FILTERS);
        NumberFilters.define(FILTERS);
        SequenceFilters.define(FILTERS);
        SelectionFilters.define(FILTERS);
        FILTERS.put("default", Filters::otherwise);
        FILTERS.put("d", Filters::otherwise);
        FILTERS.put("attr", Filters::attribute);
        FILTERS.put("tojson", (filters, input, arguments) -> Json.dumps(filters.values, input, arguments));
    }

    final Values values;
    final Operators operators;
    final Subscripts subscripts;
    final Tests tests;

    Filters(Values values, Operators operators, Subscripts subscripts, Tests tests) {
        this.values = values;
        this.operators = operators;
        this.subscripts = subscripts;
        this.tests = tests;
    }

    static Set<String> names() {
        return FILTERS.keySet();
    }

    Object apply(String name, Object input, Arguments arguments) {
        Filter filter = FILTERS.get(name);
        if (filter == null) {
            throw new TemplateException(Kind.RUNTIME, "No filter named " + Repr.quote(name) + " found.");
        }
        values.budget().step();
        return filter.apply(this, input, arguments);
    }

    private static Object otherwise(Filters filters, Object input, Arguments arguments) {
        Arguments.Bound bound = arguments.bind("do_default", 0, "default_value", "boolean");
        boolean missing = input instanceof Undefined || bound.truth(1, false) && !Types.truth(input);
        return missing ? bound.get(0, "") : input;
    }

    /// A method or property, never an entry.
    private static Object attribute(Filters filters, Object input, Arguments arguments) {
        String name = Types.text(arguments.bind("do_attr", 1, "name").get(0));
        if (name == null) {
            throw TemplateException.type("attribute name must be string");
        }
        Object member = filters.subscripts.member(input, name);
        return member == Values.ABSENT ? Undefined.member(input, name, filters.values) : member;
    }
}
