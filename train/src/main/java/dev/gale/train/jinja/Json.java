package dev.gale.train.jinja;

import dev.gale.train.jinja.Arguments.Bound;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;

/// The filter `tojson` as Transformers defines it: Python's `json.dumps` with `ensure_ascii=False` by default.
final class Json {
    private final Values values;
    private final boolean ascii;
    private final boolean sortKeys;
    private final String indent;
    private final String itemSeparator;
    private final String keySeparator;
    private final StringBuilder result = new StringBuilder();

    private Json(Values values, Bound arguments) {
        this.values = values;
        ascii = arguments.truth(0, false);
        indent = indentation(arguments.get(1));
        List<?> separators = arguments.has(2) ? values.list(arguments.get(2))
                : List.of(indent == null ? ", " : ",", ": ");
        if (separators.size() != 2) {
            throw TemplateException.value("tojson needs two separators, one for items and one for keys");
        }
        itemSeparator = values.string(separators.get(0));
        keySeparator = values.string(separators.get(1));
        sortKeys = arguments.truth(3, false);
    }

    static Object dumps(Values values, Object input, Arguments arguments) {
        Bound bound = arguments.bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
        Json json = new Json(values, bound);
        json.write(input, "\n");
        values.budget().length(json.result.length());
        return json.result.toString();
    }

    private String indentation(Object value) {
        if (value == null) {
            return null;
        }
        String text = Types.text(value);
        return text != null ? text : Text.repeat(" ", Numbers.index(value), values.budget());
    }

    /// `lineStart` is a newline and the indentation of the line that the value starts in.
    private void write(Object value, String lineStart) {
        values.budget().enter();
        values.budget().growing(result);
        switch (value) {
            case null -> result.append("null");
            case Boolean b -> result.append(b);
            case Long l -> result.append(l);
            case BigInteger i -> result.append(i);
            case Double d -> result.append(real(d));
            case String s -> quote(s);
            case Markup m -> quote(m.text());
            case Map<?, ?> dict -> writeDict(dict, lineStart);
            case Tuple tuple -> writeList(tuple.items(), lineStart);
            case List<?> list when !(list instanceof Range) -> writeList(list, lineStart);
            default -> throw TemplateException.type("Object of type %s is not JSON serializable", Types.name(value));
        }
        values.budget().leave();
    }

    private static String real(double value) {
        return Double.isNaN(value) ? "NaN" : Double.isInfinite(value) ? value > 0 ? "Infinity" : "-Infinity"
                : Repr.real(value);
    }

    private void writeList(Collection<?> items, String lineStart) {
        if (items.isEmpty()) {
            result.append("[]");
            return;
        }
        String inner = indent == null ? "" : lineStart + indent;
        String separator = "[";
        for (Object item : items) {
            result.append(separator).append(inner);
            write(item, inner);
            separator = itemSeparator;
        }
        result.append(indent == null ? "" : lineStart).append(']');
    }

    private void writeDict(Map<?, ?> dict, String lineStart) {
        if (dict.isEmpty()) {
            result.append("{}");
            return;
        }
        String inner = indent == null ? "" : lineStart + indent;
        String separator = "{";
        for (Map.Entry<?, ?> entry : entries(dict)) {
            result.append(separator).append(inner);
            quote(key(entry.getKey()));
            result.append(keySeparator);
            write(entry.getValue(), inner);
            separator = itemSeparator;
        }
        result.append(indent == null ? "" : lineStart).append('}');
    }

    private Collection<? extends Map.Entry<?, ?>> entries(Map<?, ?> dict) {
        if (!sortKeys) {
            return dict.entrySet();
        }
        List<Map.Entry<?, ?>> entries = new ArrayList<>(dict.entrySet());
        return values.sorted(entries, Map.Entry::getKey, false);
    }

    private static String key(Object key) {
        return switch (key) {
            case null -> "null";
            case String s -> s;
            case Boolean b -> b.toString();
            case Double d -> real(d);
            case Long l -> l.toString();
            case BigInteger i -> i.toString();
            default -> throw TemplateException.type("keys must be str, int, float, bool or None, not %s",
                    Types.name(key));
        };
    }

    private void quote(String text) {
        result.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> result.append("\\\"");
                case '\\' -> result.append("\\\\");
                case '\n' -> result.append("\\n");
                case '\r' -> result.append("\\r");
                case '\t' -> result.append("\\t");
                case '\b' -> result.append("\\b");
                case '\f' -> result.append("\\f");
                default -> {
                    if (c < ' ' || ascii && c > '~') {
                        result.append("\\u").append(java.util.HexFormat.of().toHexDigits(c));
                    } else {
                        result.append(c);
                    }
                }
            }
        }
        result.append('"');
    }
}
