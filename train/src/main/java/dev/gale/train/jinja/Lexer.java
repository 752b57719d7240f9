package dev.gale.train.jinja;

import dev.gale.train.jinja.Token.Type;
import java.math.BigInteger;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Splits a template into text and the tokens of its tags, and applies the rules for whitespace around tags.
final class Lexer {
    private static final Pattern NEWLINE = Pattern.compile("\r\n|\r|\n");
    private static final Pattern FLOAT = Pattern.compile(
            "(?<!\\.)(\\d+_)*\\d+((\\.(\\d+_)*\\d+)?e[+\\-]?(\\d+_)*\\d+|\\.(\\d+_)*\\d+)", Pattern.CASE_INSENSITIVE);
    private static final Pattern INTEGER = Pattern.compile(
            "0b(_?[01])+|0o(_?[0-7])+|0x(_?[\\da-f])+|[1-9](_?\\d)*|0(_?0)*", Pattern.CASE_INSENSITIVE);
    private static final List<String> OPERATORS = List.of("//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%",
            "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";");

    private final TemplateOptions options;
    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private final Deque<String> openBrackets = new ArrayDeque<>();
    private int position;
    private int line = 1;

    private Lexer(String source, TemplateOptions options) {
        String unix = NEWLINE.matcher(source).replaceAll("\n");
        this.source = unix.endsWith("\n") ? unix.substring(0, unix.length() - 1) : unix;
        this.options = options;
    }

    /// The tokens of `source`, ended by one of type [Type#END].
    static List<Token> tokens(String source, TemplateOptions options) {
        Lexer lexer = new Lexer(source, options);
        while (lexer.position < lexer.source.length()) {
            lexer.textAndTag();
        }
        lexer.add(Type.END, "", null);
        return lexer.tokens;
    }

    private void textAndTag() {
        int tag = nextTag();
        if (tag < 0) {
            data(source.substring(position));
            advanceTo(source.length());
            return;
        }
        char kind = source.charAt(tag + 1);
        char sign = signAt(tag + 2);
        data(beforeTag(tag, sign, kind != '{'));
        int rawMarker = kind == '%' ? markerOf(tag, "raw") : -1;
        if (rawMarker >= 0 && signAt(rawMarker) != '+') {
            int end = afterMarker(rawMarker);
            advanceTo(signAt(rawMarker) == '-' ? skipSpace(end) : end);
            rawText();
            return;
        }
        int inside = tag + 2 + (sign == 0 ? 0 : 1);
        switch (kind) {
            case '#' -> comment(tag, inside);
            case '%' -> tag(tag, inside, Type.BLOCK_BEGIN, Type.BLOCK_END);
            default -> tag(tag, inside, Type.VARIABLE_BEGIN, Type.VARIABLE_END);
        }
    }

    private int nextTag() {
        int at = source.indexOf('{', position);
        while (at >= 0 && at + 1 < source.length() && "{%#".indexOf(source.charAt(at + 1)) < 0) {
            at = source.indexOf('{', at + 1);
        }
        return at + 1 < source.length() ? at : -1;
    }

    private char signAt(int at) {
        char c = at < source.length() ? source.charAt(at) : 0;
        return c == '-' || c == '+' ? c : 0;
    }

    /// The text from here to the tag, shortened as the tag's sign and `lstripBlocks` demand.
    private String beforeTag(int tag, char sign, boolean block) {
        String text = source.substring(position, tag);
        if (sign == '-') {
            return Text.stripEnd(text);
        }
        if (sign == '+' || !block || !options.lstripBlocks()) {
            return text;
        }
        int lineStart = text.lastIndexOf('\n') + 1;
        boolean startsLine = lineStart > 0 || position == 0 || source.charAt(position - 1) == '\n';
        return startsLine && Text.isBlank(text.substring(lineStart)) ? text.substring(0, lineStart) : text;
    }

    private void comment(int tag, int inside) {
        advanceTo(tag);
        int end = source.indexOf("#}", inside);
        if (end < 0) {
            throw TemplateException.syntax(line, "Missing end of comment tag");
        }
        advanceTo(afterBlock(end + 2, end > inside ? signAt(end - 1) : 0));
    }

    /// Where the text goes on after a tag that ends at `end` and carries this sign.
    private int afterBlock(int end, char sign) {
        if (sign == '-') {
            return skipSpace(end);
        }
        return sign == 0 && options.trimBlocks() && source.startsWith("\n", end) ? end + 1 : end;
    }

    private int skipSpace(int at) {
        while (at < source.length() && Text.isSpace(source.charAt(at))) {
            at++;
        }
        return at;
    }

    /// Where the sign and `%}` of a tag `{% name %}` stand, or -1 if another tag starts at `tag`.
    private int markerOf(int tag, String name) {
        int at = skipSpace(tag + 2 + (signAt(tag + 2) == 0 ? 0 : 1));
        if (!source.startsWith(name, at)) {
            return -1;
        }
        int marker = skipSpace(at + name.length());
        return source.startsWith("%}", signAt(marker) == 0 ? marker : marker + 1) ? marker : -1;
    }

    private int afterMarker(int marker) {
        return marker + (signAt(marker) == 0 ? 2 : 3);
    }

    private void rawText() {
        int tag = source.indexOf("{%", position);
        while (tag >= 0 && markerOf(tag, "endraw") < 0) {
            tag = source.indexOf("{%", tag + 1);
        }
        if (tag < 0) {
            throw TemplateException.syntax(line, "Missing end of raw directive");
        }
        data(beforeTag(tag, signAt(tag + 2), true));
        int marker = markerOf(tag, "endraw");
        advanceTo(afterBlock(afterMarker(marker), signAt(marker)));
    }

    private void tag(int tag, int inside, Type begin, Type end) {
        advanceTo(tag);
        add(begin, "", null);
        advanceTo(inside);
        openBrackets.clear();
        while (position < source.length()) {
            int after = openBrackets.isEmpty() ? tagEnd(end == Type.BLOCK_END) : -1;
            if (after >= 0) {
                add(end, "", null);
                advanceTo(after);
                return;
            }
            if (Text.isSpace(source.charAt(position))) {
                advanceTo(skipSpace(position));
            } else {
                token();
            }
        }
    }

    private int tagEnd(boolean block) {
        char sign = signAt(position);
        int at = position + (sign == 0 ? 0 : 1);
        if (!source.startsWith(block ? "%}" : "}}", at) || !block && sign == '+') {
            return -1;
        }
        if (!block) {
            return sign == '-' ? skipSpace(at + 2) : at + 2;
        }
        return afterBlock(at + 2, sign);
    }

    private void token() {
        char c = source.charAt(position);
        if (c == '\'' || c == '"') {
            string(c);
        } else if (c >= '0' && c <= '9') {
            number();
        } else if (c == '_' || Character.isUnicodeIdentifierStart(source.codePointAt(position))) {
            int end = position;
            while (end < source.length() && isNamePart(source.codePointAt(end))) {
                end += Character.charCount(source.codePointAt(end));
            }
            take(Type.NAME, end, null);
        } else {
            operator();
        }
    }

    private static boolean isNamePart(int codePoint) {
        return Character.isUnicodeIdentifierPart(codePoint) && !Character.isIdentifierIgnorable(codePoint);
    }

    private void string(char quote) {
        int end = position + 1;
        while (end < source.length() && source.charAt(end) != quote) {
            end += source.charAt(end) == '\\' ? 2 : 1;
        }
        if (end >= source.length()) {
            throw unexpectedCharacter();
        }
        String value = Escapes.decode(source.substring(position + 1, end), line);
        take(Type.STRING, end + 1, value);
    }

    private void number() {
        Matcher matcher = FLOAT.matcher(source).useTransparentBounds(true).region(position, source.length());
        if (matcher.lookingAt()) {
            take(Type.FLOAT, matcher.end(), Double.parseDouble(matcher.group().replace("_", "")));
            return;
        }
        matcher = INTEGER.matcher(source).region(position, source.length());
        if (!matcher.lookingAt()) {
            throw unexpectedCharacter();
        }
        String digits = matcher.group().replace("_", "").toLowerCase(java.util.Locale.ROOT);
        int radix = digits.startsWith("0b") ? 2 : digits.startsWith("0o") ? 8 : digits.startsWith("0x") ? 16 : 10;
        BigInteger value = new BigInteger(radix == 10 ? digits : digits.substring(2), radix);
        take(Type.INTEGER, matcher.end(), Numbers.normal(value));
    }

    private void operator() {
        for (String operator : OPERATORS) {
            if (source.startsWith(operator, position)) {
                balance(operator);
                take(Type.OPERATOR, position + operator.length(), null);
                return;
            }
        }
        throw unexpectedCharacter();
    }

    private void balance(String operator) {
        switch (operator) {
            case "{" -> openBrackets.push("}");
            case "(" -> openBrackets.push(")");
            case "[" -> openBrackets.push("]");
            case "}", ")", "]" -> {
                if (openBrackets.isEmpty()) {
                    throw TemplateException.syntax(line, "unexpected '" + operator + "'");
                }
                String expected = openBrackets.pop();
                if (!expected.equals(operator)) {
                    throw TemplateException.syntax(line, "unexpected '" + operator + "', expected '" + expected + "'");
                }
            }
            default -> { }
        }
    }

    private TemplateException unexpectedCharacter() {
        String character = Character.toString(source.codePointAt(position));
        return TemplateException.syntax(line, "unexpected char " + Repr.quote(character) + " at "
                + source.codePointCount(0, position));
    }

    private void data(String text) {
        if (!text.isEmpty()) {
            add(Type.DATA, text, null);
        }
    }

    private void take(Type type, int end, Object value) {
        add(type, source.substring(position, end), value);
        advanceTo(end);
    }

    private void add(Type type, String text, Object value) {
        tokens.add(new Token(type, text, value, line));
    }

    private void advanceTo(int end) {
        for (; position < end; position++) {
            if (source.charAt(position) == '\n') {
                line++;
            }
        }
    }
}
