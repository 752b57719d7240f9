package dev.gale.train.jinja;

import java.math.BigInteger;
import java.util.Collections;
import java.util.Iterator;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// `'%s is %d' % (a, b)`, Python's printf-style formatting.
final class PercentFormat {
    private static final Pattern FIELD = Pattern.compile(
            "%(?:\\(([^)]*)\\))?([-+ #0]*)(\\*|\\d{1,9})?(?:\\.(\\*|\\d{0,9}))?[hlL]?(.)?", Pattern.DOTALL);

    private final Values values;
    private final Object operand;
    private final boolean escaping;
    private final Iterator<?> operands;

    private PercentFormat(Object operand, boolean escaping, Values values) {
        this.values = values;
        this.operand = operand;
        this.escaping = escaping;
        operands = operand instanceof Tuple tuple ? tuple.items().iterator()
                : Collections.singleton(operand).iterator();
    }

    /// The text with its fields filled from a tuple, a dict or a single value. If the text is safe, so is the result.
    static Object format(Object text, Object operand, Values values) {
        PercentFormat format = new PercentFormat(operand, text instanceof Markup, values);
        String result = format.fill(Types.text(text));
        return text instanceof Markup ? new Markup(result) : result;
    }

    private String fill(String text) {
        StringBuilder result = new StringBuilder();
        Matcher field = FIELD.matcher(text);
        int from = 0;
        boolean byName = false;
        while (field.find(from)) {
            result.append(text, from, field.start());
            byName |= field.group(1) != null;
            result.append(field(field));
            values.budget().growing(result);
            from = field.end();
        }
        result.append(text, from, text.length());
        boolean unused = !(operand instanceof Map<?, ?>) && !byName && operands.hasNext();
        if (unused) {
            throw TemplateException.type("not all arguments converted during string formatting");
        }
        values.budget().length(result.length());
        return result.toString();
    }

    private String field(Matcher field) {
        if (field.group(5) == null) {
            throw TemplateException.value("incomplete format");
        }
        char code = field.group(5).charAt(0);
        if (code == '%') {
            return "%";
        }
        String flags = field.group(2);
        int width = number(field.group(3), 0);
        int precision = field.group(4) == null ? -1 : number(field.group(4), 0);
        if (width < 0) {
            width = -width;
            flags += "-";
        }
        values.budget().length((long) width + Math.max(0, precision));
        Object value = field.group(1) != null ? named(field.group(1)) : next();
        return switch (code) {
            case 's', 'r', 'a' -> text(value, code, flags, width, precision);
            case 'c' -> pad("", character(value), flags.replace("0", ""), width);
            case 'd', 'i', 'u', 'o', 'x', 'X' -> integer(value, code, flags, width, precision);
            case 'e', 'E', 'f', 'F', 'g', 'G' -> real(value, code, flags, width, precision);
            default -> throw TemplateException.value("unsupported format character '%s' (0x%x) at index %d", code,
                    (int) code, field.end() - 1);
        };
    }

    private int number(String digits, int otherwise) {
        return digits == null || digits.isEmpty() ? otherwise : digits.equals("*") ? Numbers.index(next())
                : Integer.parseInt(digits);
    }

    private Object next() {
        if (!operands.hasNext()) {
            throw TemplateException.type("not enough arguments for format string");
        }
        return operands.next();
    }

    private Object named(String name) {
        if (!(operand instanceof Map<?, ?> dict)) {
            throw TemplateException.type("format requires a mapping");
        }
        Object value = values.lookup(dict, name);
        if (value == Values.ABSENT) {
            throw new TemplateException(TemplateException.Kind.KEY, Repr.quote(name));
        }
        return value;
    }

    private String text(Object value, char code, String flags, int width, int precision) {
        String text = code == 's' ? values.string(value) : values.repr(value);
        text = escaping && !(value instanceof Markup) ? Markup.escape(text) : text;
        String shown = precision >= 0 && precision < Text.length(text) ? Text.between(text, 0, precision) : text;
        return pad("", shown, flags.replace("0", ""), width);
    }

    private static String character(Object value) {
        String text = Types.text(value);
        if (text != null && Text.length(text) == 1) {
            return text;
        }
        if (!Types.isInteger(value)) {
            throw TemplateException.type("%%c requires int or char");
        }
        int codePoint = Numbers.index(value);
        if (!Character.isValidCodePoint(codePoint)) {
            throw TemplateException.value("%%c arg not in range(0x110000)");
        }
        return Character.toString(codePoint);
    }

    private String integer(Object value, char code, String flags, int width, int precision) {
        Values.requireDefined(value);
        boolean decimal = "diu".indexOf(code) >= 0;
        if (!Types.isInteger(value) && !(decimal && value instanceof Double)) {
            throw TemplateException.type("%%%s format: %s is required, not %s", code,
                    decimal ? "a real number" : "an integer", Types.name(value));
        }
        BigInteger integer = Numbers.big(value instanceof Double d ? Numbers.truncate(d) : value);
        String digits = Digits.integer(integer, code);
        digits = "0".repeat(Math.max(0, precision - digits.length())) + digits;
        String prefix = flags.contains("#") && !decimal ? "0" + code : "";
        return pad(sign(integer.signum() < 0, flags) + prefix, digits, flags, width);
    }

    private String real(Object value, char code, String flags, int width, int precision) {
        Values.requireDefined(value);
        if (!Types.isNumber(value)) {
            throw TemplateException.type("must be real number, not %s", Types.name(value));
        }
        double number = Numbers.real(value);
        String digits = Digits.real(number, code, precision < 0 ? 6 : precision, flags.contains("#"));
        return pad(sign(number < 0 || 1 / number < 0, flags), digits, flags, width);
    }

    private static String sign(boolean negative, String flags) {
        return negative ? "-" : flags.contains("+") ? "+" : flags.contains(" ") ? " " : "";
    }

    private String pad(String sign, String digits, String flags, int width) {
        int missing = Math.max(0, width - Text.length(sign) - Text.length(digits));
        if (flags.contains("-")) {
            return sign + digits + " ".repeat(missing);
        }
        return flags.contains("0") ? sign + "0".repeat(missing) + digits : " ".repeat(missing) + sign + digits;
    }
}
