package dev.gale.train.jinja;

import java.math.BigInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What follows the colon in `'{:>8,.2f}'`.
final class FormatSpecification {
    private static final Pattern PATTERN = Pattern.compile(
            "(?:(.)?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\\d{1,9})?([,_])?(?:\\.(\\d{1,9}))?([a-zA-Z%])?", Pattern.DOTALL);

    private final Values values;
    private final String fill;
    private final char align;
    private final String sign;
    private final boolean alternate;
    private final int width;
    private final String grouping;
    private final int precision;
    private final char code;

    private FormatSpecification(Matcher parts, boolean number, Values values) {
        this.values = values;
        boolean zero = parts.group(6) != null;
        fill = parts.group(1) != null ? parts.group(1) : zero && parts.group(2) == null ? "0" : " ";
        align = parts.group(2) != null ? parts.group(2).charAt(0) : number ? zero ? '=' : '>' : '<';
        sign = parts.group(3) == null ? "-" : parts.group(3);
        alternate = parts.group(5) != null;
        width = parts.group(7) == null ? 0 : Integer.parseInt(parts.group(7));
        grouping = parts.group(8);
        precision = parts.group(9) == null ? -1 : Integer.parseInt(parts.group(9));
        code = parts.group(10) == null ? 0 : parts.group(10).charAt(0);
        values.budget().length((long) width + Math.max(0, precision));
    }

    static String format(Object value, String specification, Values values) {
        if (specification.isEmpty()) {
            return values.string(value);
        }
        Values.requireDefined(value);
        if (!Types.isNumber(value) && !Types.isText(value)) {
            throw TemplateException.type("unsupported format string passed to %s.__format__", Types.name(value));
        }
        Matcher parts = PATTERN.matcher(specification);
        if (!parts.matches()) {
            throw TemplateException.value("Invalid format specifier");
        }
        FormatSpecification format = new FormatSpecification(parts, Types.isNumber(value), values);
        return Types.isText(value) ? format.text(value) : format.number(value);
    }

    private TemplateException unknownCode(Object value) {
        return TemplateException.value("Unknown format code '%s' for object of type '%s'", code, Types.name(value));
    }

    private String text(Object value) {
        if (code != 0 && code != 's') {
            throw unknownCode(value);
        }
        if (align == '=') {
            throw TemplateException.value("'=' alignment not allowed in string format specifier");
        }
        String text = Types.text(value);
        return padded("", precision >= 0 && precision < Text.length(text) ? Text.between(text, 0, precision) : text);
    }

    private String number(Object value) {
        boolean realCode = "eEfFgG%".indexOf(code) >= 0 && code != 0;
        return value instanceof Double || realCode ? real(value) : integer(value);
    }

    private String integer(Object value) {
        BigInteger integer = Numbers.big(value);
        if (code == 'c') {
            return padded("", Character.toString(integer.intValueExact()));
        }
        if (code != 0 && "bdoxXn".indexOf(code) < 0) {
            throw unknownCode(value);
        }
        if (precision >= 0) {
            throw TemplateException.value("Precision not allowed in integer format specifier");
        }
        String prefix = alternate && "boxX".indexOf(code) >= 0 && code != 0 ? "0" + code : "";
        return padded(signOf(integer.signum() < 0) + prefix, grouped(Digits.integer(integer, code)));
    }

    private String real(Object value) {
        double number = Numbers.real(value);
        boolean negative = number < 0 || number == 0 && 1 / number < 0;
        String digits = switch (code) {
            case 0 -> precision < 0 ? Repr.real(Math.abs(number)) : shortest(number);
            case '%' -> Digits.real(number * 100, 'f', precision < 0 ? 6 : precision, alternate) + "%";
            case 'n' -> Digits.real(number, 'g', precision < 0 ? 6 : precision, alternate);
            case 'e', 'E', 'f', 'F', 'g', 'G' -> Digits.real(number, code, precision < 0 ? 6 : precision, alternate);
            default -> throw unknownCode(value);
        };
        return padded(signOf(negative), grouped(digits));
    }

    /// Without a code, a precision works as with `g`, but a whole number keeps one decimal.
    private String shortest(double number) {
        String digits = Digits.real(number, 'g', precision, false);
        boolean whole = digits.chars().allMatch(Character::isDigit);
        if (whole && digits.length() >= Math.max(1, precision)) {
            return Digits.real(number, 'e', Math.max(0, precision - 1), false).replaceFirst("\\.?0*e", "e");
        }
        return whole ? digits + ".0" : digits;
    }

    private String signOf(boolean negative) {
        return negative ? "-" : sign.equals("-") ? "" : sign;
    }

    private String grouped(String digits) {
        int size = "boxX".indexOf(code) >= 0 && code != 0 ? 4 : 3;
        return grouping == null ? digits : Digits.grouped(digits, grouping.charAt(0), size);
    }

    private String padded(String sign, String digits) {
        int missing = Math.max(0, width - sign.length() - Text.length(digits));
        int before = switch (align) {
            case '<' -> 0;
            case '^' -> missing / 2;
            default -> missing;
        };
        String left = Text.repeat(fill, before, values.budget());
        String right = Text.repeat(fill, missing - before, values.budget());
        return align == '=' ? sign + left + digits : left + sign + digits + right;
    }
}
