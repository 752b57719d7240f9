package dev.gale.train.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.IntPredicate;

/// Python's view of a string: a sequence of code points, with Python's notion of whitespace, lines and case.
final class Text {
    private Text() {}

    static int length(String text) {
        return text.codePointCount(0, text.length());
    }

    /// The character at this index, which must exist.
    static String at(String text, int index) {
        return Character.toString(text.codePointAt(text.offsetByCodePoints(0, index)));
    }

    /// The characters from `start` to `end`, both of them inside the text.
    static String between(String text, int start, int end) {
        int from = text.offsetByCodePoints(0, start);
        return text.substring(from, text.offsetByCodePoints(from, end - start));
    }

    /// The characters as strings of their own.
    static List<Object> characters(String text) {
        List<Object> characters = new ArrayList<>(text.length());
        text.codePoints().forEach(c -> characters.add(Character.toString(c)));
        return characters;
    }

    static boolean isSpace(int c) {
        return c == ' ' || c >= 0x09 && c <= 0x0d || c >= 0x1c && c <= 0x1f || c == 0x85 || c == 0xa0
                || c > 0xff && Character.isSpaceChar(c);
    }

    /// Whether the text has at least one character and all of them are whitespace.
    static boolean isBlank(String text) {
        return all(text, Text::isSpace);
    }

    static boolean all(String text, IntPredicate condition) {
        return !text.isEmpty() && text.codePoints().allMatch(condition);
    }

    static String strip(String text) {
        return stripEnd(stripStart(text, Text::isSpace), Text::isSpace);
    }

    static String stripEnd(String text) {
        return stripEnd(text, Text::isSpace);
    }

    static String stripStart(String text, IntPredicate unwanted) {
        int start = 0;
        while (start < text.length() && unwanted.test(text.codePointAt(start))) {
            start += Character.charCount(text.codePointAt(start));
        }
        return text.substring(start);
    }

    static String stripEnd(String text, IntPredicate unwanted) {
        int end = text.length();
        while (end > 0 && unwanted.test(text.codePointBefore(end))) {
            end -= Character.charCount(text.codePointBefore(end));
        }
        return text.substring(0, end);
    }

    /// The lines of a text; `\r\n` and the other line ends of Unicode count as one each.
    static List<Object> lines(String text, boolean keepEnds) {
        List<Object> lines = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < text.length(); i++) {
            if (endsLine(text.charAt(i))) {
                int end = text.startsWith("\r\n", i) ? i + 2 : i + 1;
                lines.add(text.substring(start, keepEnds ? end : i));
                start = end;
                i = end - 1;
            }
        }
        if (start < text.length()) {
            lines.add(text.substring(start));
        }
        return lines;
    }

    private static boolean endsLine(char c) {
        return c >= '\n' && c <= '\r' || c >= 0x1c && c <= 0x1e || c == 0x85 || c == 0x2028 || c == 0x2029;
    }

    static String upper(String text) {
        return text.toUpperCase(Locale.ROOT);
    }

    static String lower(String text) {
        return text.toLowerCase(Locale.ROOT);
    }

    /// The first character in title case, the others in lower case.
    static String capitalize(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = Character.charCount(text.codePointAt(0));
        return titleCase(text.substring(0, first)) + lower(text.substring(first));
    }

    private static String titleCase(String character) {
        int c = character.codePointAt(0);
        int title = Character.toTitleCase(c);
        if (title != c) {
            return Character.toString(title);
        }
        String upper = upper(character);
        int first = Character.charCount(upper.codePointAt(0));
        return upper.substring(0, first) + lower(upper.substring(first));
    }

    /// Every run of letters starts in title case and goes on in lower case.
    static String title(String text) {
        StringBuilder result = new StringBuilder(text.length());
        boolean inWord = false;
        for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
            String character = Character.toString(text.codePointAt(i));
            result.append(inWord ? lower(character) : titleCase(character));
            inWord = isCased(text.codePointAt(i));
        }
        return result.toString();
    }

    static String swapCase(String text) {
        StringBuilder result = new StringBuilder(text.length());
        text.codePoints().forEach(c -> {
            String character = Character.toString(c);
            result.append(Character.isUpperCase(c) ? lower(character) : upper(character));
        });
        return result.toString();
    }

    static boolean isCased(int c) {
        return Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
    }

    static boolean isLower(String text) {
        return text.codePoints().anyMatch(Text::isCased)
                && text.codePoints().noneMatch(c -> Character.isUpperCase(c) || Character.isTitleCase(c));
    }

    static boolean isUpper(String text) {
        return text.codePoints().anyMatch(Text::isCased)
                && text.codePoints().noneMatch(c -> Character.isLowerCase(c) || Character.isTitleCase(c));
    }

    /// Whether words start in upper or title case, go on in lower case, and there is one.
    static boolean isTitle(String text) {
        boolean inWord = false;
        boolean found = false;
        for (int c : text.codePoints().toArray()) {
            boolean starts = Character.isUpperCase(c) || Character.isTitleCase(c);
            if (starts == inWord && isCased(c)) {
                return false;
            }
            inWord = isCased(c);
            found |= inWord;
        }
        return found;
    }

    /// How often `part` occurs without overlap; an empty part occurs around every character.
    static int count(String text, String part) {
        if (part.isEmpty()) {
            return length(text) + 1;
        }
        int count = 0;
        for (int at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length())) {
            count++;
        }
        return count;
    }

    /// Replaces the first `limit` occurrences, all of them if `limit` is negative.
    static String replace(String text, String old, String replacement, int limit, Budget budget) {
        long matches = limit < 0 ? count(text, old) : Math.min(limit, count(text, old));
        budget.length(text.length() + matches * Math.max(0, replacement.length() - old.length()));
        StringBuilder result = new StringBuilder();
        int from = 0;
        int at = text.indexOf(old);
        for (long i = 0; i < matches; i++) {
            result.append(text, from, at).append(replacement);
            from = at + old.length();
            int next = old.isEmpty() ? Math.min(text.length(), at + charCount(text, at)) : from;
            at = text.indexOf(old, next);
        }
        return result.append(text, from, text.length()).toString();
    }

    private static int charCount(String text, int at) {
        return at < text.length() ? Character.charCount(text.codePointAt(at)) : 0;
    }

    static String repeat(String text, int count, Budget budget) {
        int times = Math.max(0, count);
        budget.length((long) text.length() * times);
        return text.repeat(times);
    }

    /// Fills the text up to `width` characters; `left` of 0, 1 or 2 puts the filling right, on both sides or left.
    static String pad(String text, int width, String fill, int left, Budget budget) {
        int missing = width - length(text);
        if (missing <= 0) {
            return text;
        }
        int before = switch (left) {
            case 0 -> 0;
            case 1 -> missing / 2 + (missing & width & 1);
            default -> missing;
        };
        return repeat(fill, before, budget) + text + repeat(fill, missing - before, budget);
    }
}
