package dev.gale.train.jinja;

import java.util.Locale;

/// Backslash escapes in string literals, as Python's `unicode-escape` codec reads them.
final class Escapes {
    private Escapes() {}

    static String decode(String literal, int line) {
        if (literal.indexOf('\\') < 0) {
            return literal;
        }
        // jinja2 turns what is not ASCII into escapes first, so a backslash before such a character doubles its escape
        String ascii = toAscii(literal);
        StringBuilder text = new StringBuilder(ascii.length());
        for (int i = 0; i < ascii.length(); i++) {
            char c = ascii.charAt(i);
            if (c == '\\') {
                i = escape(ascii, i + 1, text, line);
            } else {
                text.append(c);
            }
        }
        return text.toString();
    }

    private static String toAscii(String text) {
        StringBuilder ascii = new StringBuilder(text.length());
        text.codePoints().forEach(c -> {
            if (c < 128) {
                ascii.append((char) c);
            } else {
                ascii.append(ofCodePoint(c));
            }
        });
        return ascii.toString();
    }

    /// `\xe9`, `\u65e5` or `\U0001f999`.
    static String ofCodePoint(int codePoint) {
        String format = codePoint < 0x100 ? "\\x%02x" : codePoint < 0x10000 ? "\\u%04x" : "\\U%08x";
        return String.format(Locale.ROOT, format, codePoint);
    }

    /// Appends what the escape with the letter at `at` stands for; returns the index of its last character.
    private static int escape(String source, int at, StringBuilder text, int line) {
        if (at >= source.length()) {
            throw TemplateException.syntax(line, "\\ at end of string");
        }
        char letter = source.charAt(at);
        int simple = "abfnrtv\\'\"".indexOf(letter);
        if (simple >= 0) {
            text.append("\u0007\b\f\n\r\t\u000b\\'\"".charAt(simple));
            return at;
        }
        return switch (letter) {
            case '\n' -> at;
            case 'x' -> hex(source, at, 2, text, line);
            case 'u' -> hex(source, at, 4, text, line);
            case 'U' -> hex(source, at, 8, text, line);
            case 'N' -> named(source, at, text, line);
            case '0', '1', '2', '3', '4', '5', '6', '7' -> octal(source, at, text);
            default -> {
                text.append('\\').append(letter);
                yield at;
            }
        };
    }

    private static int hex(String source, int at, int digits, StringBuilder text, int line) {
        int codePoint = 0;
        for (int i = 1; i <= digits; i++) {
            int digit = at + i < source.length() ? Character.digit(source.charAt(at + i), 16) : -1;
            if (digit < 0) {
                String pattern = source.charAt(at) + "X".repeat(digits);
                throw TemplateException.syntax(line, "truncated \\" + pattern + " escape");
            }
            codePoint = codePoint << 4 | digit;
        }
        if (!Character.isValidCodePoint(codePoint)) {
            throw TemplateException.syntax(line, "illegal Unicode character");
        }
        text.appendCodePoint(codePoint);
        return at + digits;
    }

    private static int named(String source, int at, StringBuilder text, int line) {
        int end = source.indexOf('}', at);
        if (!source.startsWith("N{", at) || end < 0) {
            throw TemplateException.syntax(line, "malformed \\N character escape");
        }
        try {
            text.appendCodePoint(Character.codePointOf(source.substring(at + 2, end)));
        } catch (IllegalArgumentException unknown) {
            throw TemplateException.syntax(line, "unknown Unicode character name");
        }
        return end;
    }

    private static int octal(String source, int at, StringBuilder text) {
        int value = 0;
        int end = at;
        while (end < source.length() && end < at + 3 && source.charAt(end) >= '0' && source.charAt(end) <= '7') {
            value = value * 8 + source.charAt(end++) - '0';
        }
        text.append((char) value);
        return end - 1;
    }
}
