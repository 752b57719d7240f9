package dev.gale.train.jinja;

import dev.gale.train.jinja.Arguments.Bound;
import dev.gale.train.jinja.Filters.Filter;
import dev.gale.train.jinja.TemplateException.Kind;
import java.util.Locale;
import java.util.Map;

/// Filters that make numbers, or text of numbers.
final class NumberFilters {
    private NumberFilters() {}

    static void define(Map<String, Filter> filters) {
        filters.put("int", (f, input, arguments) -> integer(input, arguments.bind("do_int", 0, "default", "base")));
        filters.put("float", (f, input, arguments) -> {
            Double value = real(input);
            return value == null ? arguments.bind("do_float", 0, "default").get(0, 0.0) : value;
        });
        filters.put("abs", (f, input, arguments) -> {
            arguments.bind("abs", 0);
            if (!Types.isNumber(input)) {
                throw TemplateException.type("bad operand type for abs(): '%s'", Types.name(input));
            }
            return Numbers.absolute(input);
        });
        filters.put("round", NumberFilters::round);
        filters.put("filesizeformat", NumberFilters::fileSize);
    }

    private static Object integer(Object input, Bound arguments) {
        String text = Types.text(input);
        if (text != null) {
            Object value = Numbers.parseInteger(text, arguments.integer(1, 10));
            if (value != null) {
                return value;
            }
        } else if (Types.isInteger(input)) {
            return Numbers.plus(input);
        }
        Double real = real(input);
        boolean finite = real != null && !real.isNaN() && !(text != null && real.isInfinite());
        return finite ? Numbers.truncate(real) : arguments.get(0, 0L);
    }

    /// What Python's `float()` makes of the value; null if it refuses.
    private static Double real(Object value) {
        Values.requireDefined(value);
        return Types.isText(value) ? Numbers.parseReal(Types.text(value))
                : Types.isNumber(value) ? (Double) Numbers.real(value) : null;
    }

    private static Object round(Filters f, Object input, Arguments arguments) {
        Bound bound = arguments.bind("do_round", 0, "precision", "method");
        int precision = bound.integer(0, 0);
        String method = f.values.string(bound.get(1, "common"));
        if (!method.equals("common") && !method.equals("ceil") && !method.equals("floor")) {
            throw new TemplateException(Kind.ARGUMENT, "method must be common, ceil or floor");
        }
        Values.requireDefined(input);
        if (!Types.isNumber(input)) {
            throw TemplateException.type("type %s doesn't define __round__ method", Types.name(input));
        }
        if (method.equals("common")) {
            return Numbers.round(input, precision);
        }
        Object factor = Numbers.arithmetic("**", 10L, (long) precision);
        double scaled = Numbers.real(Numbers.arithmetic("*", input, factor));
        Object whole = Numbers.truncate(method.equals("ceil") ? Math.ceil(scaled) : Math.floor(scaled));
        return Numbers.arithmetic("/", whole, factor);
    }

    private static Object fileSize(Filters f, Object input, Arguments arguments) {
        boolean binary = arguments.bind("do_filesizeformat", 0, "binary").truth(0, false);
        Double bytes = real(input);
        if (bytes == null) {
            throw TemplateException.value("could not convert %s to a number of bytes", f.values.repr(input));
        }
        double base = binary ? 1024 : 1000;
        if (bytes == 1) {
            return "1 Byte";
        }
        if (bytes < base) {
            return Numbers.truncate(bytes) + " Bytes";
        }
        double unit = base;
        int prefix = 0;
        while (prefix < 7 && bytes >= unit * base) {
            unit *= base;
            prefix++;
        }
        return String.format(Locale.ROOT, "%.1f %s", bytes / unit,
                (binary ? "KMGTPEZY" : "kMGTPEZY").charAt(prefix) + (binary ? "iB" : "B"));
    }
}
