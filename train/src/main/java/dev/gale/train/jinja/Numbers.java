package dev.gale.train.jinja;

import dev.gale.train.jinja.TemplateException.Kind;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;

/// Python's arithmetic on bool, int and float.
final class Numbers {
    /// Integers beyond this are refused: no template needs them, and they grow without end.
    private static final int MAX_BITS = 1 << 16;
    private static final BigInteger MIN_LONG = BigInteger.valueOf(Long.MIN_VALUE);
    private static final BigInteger MAX_LONG = BigInteger.valueOf(Long.MAX_VALUE);

    private Numbers() {}

    /// The integer as a Long if it fits.
    static Object normal(BigInteger value) {
        if (value.bitLength() > MAX_BITS) {
            throw TemplateException.limit("an integer has more than %,d bits", MAX_BITS);
        }
        return value.compareTo(MIN_LONG) < 0 || value.compareTo(MAX_LONG) > 0 ? value : (Object) value.longValue();
    }

    static BigInteger big(Object integer) {
        return integer instanceof BigInteger big ? big : BigInteger.valueOf(small(integer));
    }

    private static long small(Object integer) {
        return integer instanceof Boolean b ? (b ? 1 : 0) : (Long) integer;
    }

    static double real(Object number) {
        return switch (number) {
            case Double d -> d;
            case BigInteger big -> {
                double d = big.doubleValue();
                if (Double.isInfinite(d)) {
                    throw new TemplateException(Kind.OVERFLOW, "int too large to convert to float");
                }
                yield d;
            }
            default -> small(number);
        };
    }

    /// The value of an integer argument such as a width or an index.
    static int index(Object value) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (!Types.isInteger(value)) {
            throw TemplateException.type("'%s' object cannot be interpreted as an integer", Types.name(value));
        }
        BigInteger big = big(value);
        return big.bitLength() < 32 ? big.intValue() : big.signum() < 0 ? Integer.MIN_VALUE : Integer.MAX_VALUE;
    }

    /// Equality and order: exact, also between int and float; 2 if one of them is NaN.
    static int compare(Object a, Object b) {
        if (a instanceof Double || b instanceof Double) {
            double x = a instanceof Double d ? d : 0;
            double y = b instanceof Double d ? d : 0;
            if (Double.isNaN(x) || Double.isNaN(y)) {
                return 2;
            }
            if (Double.isInfinite(x) || Double.isInfinite(y) || a instanceof Double && b instanceof Double) {
                return x < y ? -1 : x > y ? 1 : 0;
            }
            return decimal(a).compareTo(decimal(b));
        }
        return big(a).compareTo(big(b));
    }

    private static BigDecimal decimal(Object number) {
        return number instanceof Double d ? new BigDecimal(d) : new BigDecimal(big(number));
    }

    /// `+ - * / // % **` on two numbers.
    static Object arithmetic(String operator, Object a, Object b) {
        if (operator.equals("/")) {
            return divide(a, b);
        }
        if (operator.equals("**")) {
            return power(a, b);
        }
        return a instanceof Double || b instanceof Double
                ? (Object) onReals(operator, real(a), real(b))
                : onIntegers(operator, big(a), big(b));
    }

    private static Object onIntegers(String operator, BigInteger a, BigInteger b) {
        return normal(switch (operator) {
            case "+" -> a.add(b);
            case "-" -> a.subtract(b);
            case "*" -> a.multiply(b);
            case "//" -> floorDivide(a, b, "integer division or modulo by zero");
            default -> a.subtract(b.multiply(floorDivide(a, b, "integer modulo by zero")));
        });
    }

    private static BigInteger floorDivide(BigInteger a, BigInteger b, String ifZero) {
        if (b.signum() == 0) {
            throw new TemplateException(Kind.ZERO_DIVISION, ifZero);
        }
        BigInteger[] result = a.divideAndRemainder(b);
        boolean roundDown = result[1].signum() != 0 && a.signum() != b.signum();
        return roundDown ? result[0].subtract(BigInteger.ONE) : result[0];
    }

    private static double onReals(String operator, double a, double b) {
        return switch (operator) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "//" -> {
                requireNonZero(b, "float floor division by zero");
                double quotient = (a - floorModulo(a, b)) / b;
                yield Math.rint(quotient);
            }
            default -> {
                requireNonZero(b, "float modulo");
                yield floorModulo(a, b);
            }
        };
    }

    private static double floorModulo(double a, double b) {
        double remainder = a % b;
        return remainder == 0 ? Math.copySign(0, b) : remainder < 0 != b < 0 ? remainder + b : remainder;
    }

    private static void requireNonZero(double b, String message) {
        if (b == 0) {
            throw new TemplateException(Kind.ZERO_DIVISION, message);
        }
    }

    private static double divide(Object a, Object b) {
        boolean reals = a instanceof Double || b instanceof Double;
        double divisor = real(b);
        requireNonZero(divisor, reals ? "float division by zero" : "division by zero");
        return real(a) / divisor;
    }

    private static Object power(Object a, Object b) {
        if (!(a instanceof Double) && !(b instanceof Double) && big(b).signum() >= 0) {
            BigInteger base = big(a);
            BigInteger exponent = big(b);
            boolean grows = base.abs().bitLength() > 1;
            long bits = grows ? (long) (base.abs().bitLength() - 1) * Math.min(exponent.bitLength() > 31
                    ? Integer.MAX_VALUE : exponent.intValue(), Integer.MAX_VALUE) : 0;
            if (bits > MAX_BITS) {
                throw TemplateException.limit("an integer has more than %,d bits", MAX_BITS);
            }
            return normal(grows ? base.pow(exponent.intValue()) : smallPower(base, exponent));
        }
        double x = real(a);
        double y = real(b);
        if (x == 0 && y < 0) {
            throw new TemplateException(Kind.ZERO_DIVISION, "0.0 cannot be raised to a negative power");
        }
        if (x < 0 && y != Math.rint(y)) {
            throw TemplateException.value("a negative number cannot be raised to the power %s here", Repr.real(y));
        }
        return Math.pow(x, y);
    }

    /// Powers of -1, 0 and 1.
    private static BigInteger smallPower(BigInteger base, BigInteger exponent) {
        return exponent.signum() == 0 ? BigInteger.ONE : exponent.testBit(0) ? base : base.abs();
    }

    static Object negate(Object number) {
        return number instanceof Double d ? (Object) (-d) : normal(big(number).negate());
    }

    static Object plus(Object number) {
        return number instanceof Boolean ? (Object) small(number) : number;
    }

    static Object absolute(Object number) {
        return number instanceof Double d ? (Object) Math.abs(d) : normal(big(number).abs());
    }

    /// Rounds half to even at `digits` decimals; the exact binary value decides what is half, as in Python.
    static Object round(Object number, int digits) {
        if (number instanceof Double d) {
            if (d.isNaN() || d.isInfinite() || digits > 400) {
                return d;
            }
            double rounded = digits < -400 ? 0
                    : new BigDecimal(d).setScale(digits, RoundingMode.HALF_EVEN).doubleValue();
            return Math.copySign(rounded, d);
        }
        if (digits >= 0) {
            return plus(number);
        }
        return digits < -20_000 ? 0L
                : normal(new BigDecimal(big(number)).setScale(digits, RoundingMode.HALF_EVEN).toBigInteger());
    }

    /// A float cut to an int.
    static Object truncate(double value) {
        if (Double.isNaN(value)) {
            throw TemplateException.value("cannot convert float NaN to integer");
        }
        if (Double.isInfinite(value)) {
            throw new TemplateException(Kind.OVERFLOW, "cannot convert float infinity to integer");
        }
        return normal(new BigDecimal(value).toBigInteger());
    }

    /// What Python's `int(text, base)` reads; null if it is no integer.
    static Object parseInteger(String text, int base) {
        String digits = Text.strip(text).replaceFirst("^\\+(?=[^+-])", "");
        boolean negative = digits.startsWith("-");
        digits = (negative ? digits.substring(1) : digits).toLowerCase(java.util.Locale.ROOT);
        int radix = base;
        if (digits.length() > 1 && digits.charAt(0) == '0') {
            int prefix = switch (digits.charAt(1)) {
                case 'x' -> 16;
                case 'o' -> 8;
                case 'b' -> 2;
                default -> 10;
            };
            if (prefix != 10 && (base == 0 || base == prefix)) {
                radix = prefix;
                digits = digits.substring(digits.startsWith("_", 2) ? 3 : 2);
            }
        }
        radix = radix == 0 ? 10 : radix;
        if (radix < 2 || radix > 36) {
            throw TemplateException.value("int() base must be >= 2 and <= 36, or 0");
        }
        boolean malformed = digits.startsWith("_") || digits.endsWith("_") || digits.contains("__")
                || digits.startsWith("-") || digits.startsWith("+") || digits.length() > MAX_BITS / 4;
        try {
            BigInteger value = malformed ? null : new BigInteger(digits.replace("_", ""), radix);
            return value == null ? null : normal(negative ? value.negate() : value);
        } catch (NumberFormatException notANumber) {
            return null;
        }
    }

    /// What Python's `float(text)` reads; null if it is no number.
    static Double parseReal(String text) {
        String digits = Text.strip(text).toLowerCase(java.util.Locale.ROOT);
        if (digits.matches("[+-]?(inf|infinity|nan)")) {
            double value = digits.contains("n") && digits.contains("a") ? Double.NaN : Double.POSITIVE_INFINITY;
            return digits.startsWith("-") ? -value : value;
        }
        boolean wellFormed = digits.matches(
                "[+-]?(\\d+(_\\d+)*\\.?(\\d+(_\\d+)*)?|\\.\\d+(_\\d+)*)(e[+-]?\\d+(_\\d+)*)?");
        return wellFormed ? (Double) Double.parseDouble(digits.replace("_", "")) : null;
    }
}
