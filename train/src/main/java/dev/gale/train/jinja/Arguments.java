package dev.gale.train.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The arguments of a call.
record Arguments(List<Object> positional, Map<String, Object> named) {
    static final Arguments NONE = new Arguments(List.of(), Map.of());

    boolean isEmpty() {
        return positional.isEmpty() && named.isEmpty();
    }

    /// The arguments without the first `count` positional ones.
    Arguments skip(int count) {
        return new Arguments(positional.subList(count, positional.size()), named);
    }

    /// One more named argument.
    Arguments with(String name, Object value) {
        Map<String, Object> more = new LinkedHashMap<>(named);
        more.put(name, value);
        return new Arguments(positional, more);
    }

    /// Assigns the arguments to the parameters of `function`, of which the first `required` have no default.
    Bound bind(String function, int required, String... parameters) {
        if (positional.size() > parameters.length) {
            throw TemplateException.type("%s() takes %s%d positional argument%s but %d %s given", function,
                    required < parameters.length ? "from " + required + " to " : "", parameters.length,
                    parameters.length == 1 ? "" : "s", positional.size(), positional.size() == 1 ? "was" : "were");
        }
        Object[] values = new Object[parameters.length];
        boolean[] given = new boolean[parameters.length];
        for (int i = 0; i < positional.size(); i++) {
            values[i] = positional.get(i);
            given[i] = true;
        }
        named.forEach((name, value) -> {
            int at = List.of(parameters).indexOf(name);
            if (at < 0) {
                throw TemplateException.type("%s() got an unexpected keyword argument '%s'", function, name);
            }
            if (given[at]) {
                throw TemplateException.type("%s() got multiple values for argument '%s'", function, name);
            }
            values[at] = value;
            given[at] = true;
        });
        requireAll(function, required, parameters, given);
        return new Bound(values, given);
    }

    private static void requireAll(String function, int required, String[] parameters, boolean[] given) {
        List<String> missing = new ArrayList<>();
        for (int i = 0; i < required; i++) {
            if (!given[i]) {
                missing.add("'" + parameters[i] + "'");
            }
        }
        if (!missing.isEmpty()) {
            throw TemplateException.type("%s() missing %d required positional argument%s: %s", function, missing.size(),
                    missing.size() == 1 ? "" : "s", String.join(" and ", missing));
        }
    }

    /// Arguments by the index of their parameter.
    record Bound(Object[] values, boolean[] given) {
        Object get(int parameter) {
            return values[parameter];
        }

        Object get(int parameter, Object otherwise) {
            return given[parameter] ? values[parameter] : otherwise;
        }

        /// Neither left out nor None.
        boolean has(int parameter) {
            return given[parameter] && values[parameter] != null;
        }

        boolean truth(int parameter, boolean otherwise) {
            return given[parameter] ? Types.truth(values[parameter]) : otherwise;
        }

        int integer(int parameter, int otherwise) {
            return given[parameter] ? Numbers.index(values[parameter]) : otherwise;
        }
    }
}
