package dev.gale.train.jinja;

import java.math.BigDecimal;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/// Python's `str()` and `repr()`.
final class Repr {
    private Repr() {}

    /// A string in quotes, as Python writes it in a list.
    static String quote(String text) {
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        StringBuilder result = new StringBuilder(text.length() + 2).append(quote);
        text.codePoints().forEach(c -> {
            switch (c) {
                case '\\' -> result.append("\\\\");
                case '\n' -> result.append("\\n");
                case '\r' -> result.append("\\r");
                case '\t' -> result.append("\\t");
                default -> {
                    if (c == quote) {
                        result.append('\\').append(quote);
                    } else if (isPrintable(c)) {
                        result.appendCodePoint(c);
                    } else {
                        result.append(Escapes.ofCodePoint(c));
                    }
                }
            }
        });
        return result.append(quote).toString();
    }

    static boolean isPrintable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE, Character.UNASSIGNED,
                    Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> false;
            case Character.SPACE_SEPARATOR -> c == ' ';
            default -> true;
        };
    }

    /// A float with as few digits as tell it apart from its neighbours.
    static String real(double value) {
        if (Double.isNaN(value)) {
            return "nan";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "inf" : "-inf";
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        BigDecimal decimal = new BigDecimal(Double.toString(Math.abs(value))).stripTrailingZeros();
        String digits = decimal.unscaledValue().toString();
        int exponent = digits.length() - decimal.scale() - 1;
        String sign = value < 0 ? "-" : "";
        if (exponent < -4 || exponent >= 16) {
            String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
            return sign + digits.charAt(0) + fraction + "e" + (exponent < 0 ? "-" : "+")
                    + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
        }
        String plain = decimal.toPlainString();
        return sign + (plain.indexOf('.') < 0 ? plain + ".0" : plain);
    }

    /// What printing the value gives.
    static String string(Object value, Budget budget) {
        return switch (value) {
            case String text -> text;
            case Markup markup -> markup.text();
            case Undefined undefined -> "";
            case null, default -> repr(value, budget);
        };
    }

    static String repr(Object value, Budget budget) {
        StringBuilder result = new StringBuilder();
        append(result, value, budget);
        budget.length(result.length());
        return result.toString();
    }

    private static void append(StringBuilder result, Object value, Budget budget) {
        budget.enter();
        budget.growing(result);
        switch (value) {
            case null -> result.append("None");
            case Boolean b -> result.append(b ? "True" : "False");
            case Double d -> result.append(real(d));
            case String s -> result.append(quote(s));
            case Markup m -> result.append("Markup(").append(quote(m.text())).append(')');
            case Range r -> result.append(r);
            case List<?> l -> appendItems(result, "[", l, "]", budget);
            case Tuple t -> appendItems(result, "(", t.items(), t.items().size() == 1 ? ",)" : ")", budget);
            case Map<?, ?> m -> appendEntries(result, m, budget);
            case DictView v -> appendItems(result.append(v.type()).append('('), "[", v.items(), "])", budget);
            case Namespace n -> {
                appendEntries(result.append("<Namespace "), n.fields(), budget);
                result.append('>');
            }
            case Undefined u -> result.append("Undefined");
            case Macro m ->
                    result.append("<Macro ").append(m.name() == null ? "anonymous" : quote(m.name())).append('>');
            case Loop l -> result.append("<LoopContext ").append(l.index()).append('/').append(l.length()).append('>');
            case Number n -> result.append(n);
            default -> result.append('<').append(Types.qualifiedName(value)).append(" object>");
        }
        budget.leave();
    }

    private static void appendItems(StringBuilder result, String open, List<?> items, String close, Budget budget) {
        result.append(open);
        for (Iterator<?> rest = items.iterator(); rest.hasNext();) {
            append(result, rest.next(), budget);
            if (rest.hasNext()) {
                result.append(", ");
            }
        }
        result.append(close);
    }

    private static void appendEntries(StringBuilder result, Map<?, ?> dict, Budget budget) {
        String separator = "{";
        for (Map.Entry<?, ?> entry : dict.entrySet()) {
            result.append(separator);
            append(result, entry.getKey(), budget);
            result.append(": ");
            append(result, entry.getValue(), budget);
            separator = ", ";
        }
        result.append(dict.isEmpty() ? "{}" : "}");
    }
}
