package dev.gale.train.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;

/// The digits of a number in the notations of Python's format codes, without sign and filling.
final class Digits {
    private Digits() {}

    /// The absolute value in the notation `e`, `f` or `g` (or a capital one). `keepZeros` keeps what `g` would cut.
    static String real(double value, char code, int precision, boolean keepZeros) {
        double absolute = Math.abs(value);
        if (Double.isNaN(absolute) || Double.isInfinite(absolute)) {
            String name = Double.isNaN(absolute) ? "nan" : "inf";
            return Character.isUpperCase(code) ? Text.upper(name) : name;
        }
        String digits = switch (Character.toLowerCase(code)) {
            case 'f' -> new BigDecimal(absolute).setScale(precision, RoundingMode.HALF_EVEN).toPlainString();
            case 'e' -> scientific(absolute, precision);
            default -> general(absolute, Math.max(1, precision), keepZeros);
        };
        return Character.isUpperCase(code) ? Text.upper(digits) : digits;
    }

    private static String scientific(double value, int precision) {
        BigDecimal rounded = new BigDecimal(value).round(new MathContext(precision + 1, RoundingMode.HALF_EVEN));
        String digits = rounded.unscaledValue().toString();
        int exponent = value == 0 ? 0 : digits.length() - 1 - rounded.scale();
        digits = value == 0 ? "0" : digits;
        String padded = digits + "0".repeat(Math.max(0, precision + 1 - digits.length()));
        String fraction = precision > 0 ? "." + padded.substring(1, precision + 1) : "";
        return padded.charAt(0) + fraction + "e" + (exponent < 0 ? "-" : "+") + (Math.abs(exponent) < 10 ? "0" : "")
                + Math.abs(exponent);
    }

    private static String general(double value, int precision, boolean keepZeros) {
        String scientific = scientific(value, precision - 1);
        int mark = scientific.indexOf('e');
        int exponent = Integer.parseInt(scientific.substring(mark + 1));
        if (exponent < -4 || exponent >= precision) {
            String mantissa = scientific.substring(0, mark);
            return (keepZeros ? mantissa : withoutZeros(mantissa)) + scientific.substring(mark);
        }
        String plain = new BigDecimal(value).setScale(precision - 1 - exponent, RoundingMode.HALF_EVEN).toPlainString();
        return keepZeros ? plain : withoutZeros(plain);
    }

    private static String withoutZeros(String digits) {
        return digits.indexOf('.') < 0 ? digits : digits.replaceFirst("\\.?0+$", "");
    }

    /// The absolute value in base 2, 8, 10 or 16 for the codes `b`, `o`, `x`, `X` and any other.
    static String integer(BigInteger value, char code) {
        int radix = switch (code) {
            case 'b' -> 2;
            case 'o' -> 8;
            case 'x', 'X' -> 16;
            default -> 10;
        };
        String digits = value.abs().toString(radix);
        return code == 'X' ? Text.upper(digits) : digits;
    }

    /// The digits before a point or exponent with a separator after every `size` digits from the right.
    static String grouped(String digits, char separator, int size) {
        int end = 0;
        while (end < digits.length() && Character.digit(digits.charAt(end), 16) >= 0 && (size == 4
                || Character.isDigit(digits.charAt(end)))) {
            end++;
        }
        StringBuilder result = new StringBuilder(digits);
        for (int at = end - size; at > 0; at -= size) {
            result.insert(at, separator);
        }
        return result.toString();
    }
}
