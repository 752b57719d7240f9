package dev.gale.train.jinja;

import dev.gale.train.jinja.Arguments.Bound;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/// `split` and `rsplit`: at a separator, or at runs of whitespace if there is none.
final class Splitting {
    private Splitting() {}

    static List<Object> split(String text, Arguments arguments, Values values, boolean fromRight) {
        Bound bound = arguments.bind(fromRight ? "rsplit" : "split", 0, "sep", "maxsplit");
        int limit = bound.integer(1, -1);
        String separator = bound.has(0) ? StringMethods.required(bound.get(0)) : null;
        if (separator != null && separator.isEmpty()) {
            throw TemplateException.value("empty separator");
        }
        List<Object> parts;
        if (fromRight) {
            parts = separator == null ? fromRightAtSpace(text, limit) : fromRight(text, separator, limit);
            Collections.reverse(parts);
        } else {
            parts = separator == null ? atSpace(text, limit) : at(text, separator, limit);
        }
        values.budget().steps(parts.size());
        return parts;
    }

    /// The words of a text.
    static List<String> words(String text) {
        return atSpace(text, -1).stream().map(String.class::cast).toList();
    }

    private static List<Object> at(String text, String separator, int limit) {
        List<Object> parts = new ArrayList<>();
        int start = 0;
        int found = text.indexOf(separator);
        for (int left = limit; found >= 0 && left != 0; left--) {
            parts.add(text.substring(start, found));
            start = found + separator.length();
            found = text.indexOf(separator, start);
        }
        parts.add(text.substring(start));
        return parts;
    }

    private static List<Object> fromRight(String text, String separator, int limit) {
        List<Object> parts = new ArrayList<>();
        int end = text.length();
        int found = text.lastIndexOf(separator);
        for (int left = limit; found >= 0 && left != 0; left--) {
            parts.add(text.substring(found + separator.length(), end));
            end = found;
            found = text.lastIndexOf(separator, end - separator.length());
        }
        parts.add(text.substring(0, end));
        return parts;
    }

    private static List<Object> atSpace(String text, int limit) {
        List<Object> words = new ArrayList<>();
        int left = limit;
        int at = skip(text, 0, true);
        while (at < text.length()) {
            int end = left-- == 0 ? text.length() : skip(text, at, false);
            words.add(text.substring(at, end));
            at = skip(text, end, true);
        }
        return words;
    }

    /// The end of the run of whitespace, or of other characters, that starts at `at`.
    private static int skip(String text, int at, boolean space) {
        int end = at;
        while (end < text.length() && Text.isSpace(text.charAt(end)) == space) {
            end++;
        }
        return end;
    }

    private static List<Object> fromRightAtSpace(String text, int limit) {
        List<Object> words = new ArrayList<>();
        int left = limit;
        int end = skipBack(text, text.length(), true);
        while (end > 0) {
            int start = left-- == 0 ? 0 : skipBack(text, end, false);
            words.add(text.substring(start, end));
            end = skipBack(text, start, true);
        }
        return words;
    }

    private static int skipBack(String text, int at, boolean space) {
        int start = at;
        while (start > 0 && Text.isSpace(text.charAt(start - 1)) == space) {
            start--;
        }
        return start;
    }
}
