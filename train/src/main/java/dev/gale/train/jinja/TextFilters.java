package dev.gale.train.jinja;

import dev.gale.train.jinja.Arguments.Bound;
import dev.gale.train.jinja.Filters.Filter;
import dev.gale.train.jinja.TemplateException.Kind;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Filters that make text.
final class TextFilters {
    private static final Pattern WORD = Pattern.compile("\\w+", Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern WORD_START = Pattern.compile("[-\\s({\\[<]+", Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern TAG = Pattern.compile("<!--.*?-->|<[^>]*>", Pattern.DOTALL);

    private TextFilters() {}

    static void define(Map<String, Filter> filters) {
        onText(filters, "upper", Text::upper);
        onText(filters, "lower", Text::lower);
        onText(filters, "capitalize", Text::capitalize);
        onText(filters, "title", TextFilters::title);
        onText(filters, "string", text -> text);
        filters.put("trim", TextFilters::trim);
        filters.put("center", TextFilters::center);
        filters.put("replace", TextFilters::replace);
        filters.put("join", TextFilters::join);
        filters.put("indent", TextFilters::indent);
        filters.put("truncate", TextFilters::truncate);
        filters.put("format", TextFilters::format);
        filters.put("wordcount", (f, input, arguments) -> WORD.matcher(f.values.string(input)).results().count());
        filters.put("escape", TextFilters::escape);
        filters.put("e", TextFilters::escape);
        filters.put("forceescape", (f, input, arguments) -> new Markup(Markup.escape(f.values.string(input))));
        filters.put("safe", (f, input, arguments) -> new Markup(f.values.string(input)));
        filters.put("striptags", TextFilters::stripTags);
        filters.put("urlencode", TextFilters::urlEncode);
    }

    /// A filter without arguments that keeps safe text safe.
    private static void onText(Map<String, Filter> filters, String name, UnaryOperator<String> change) {
        filters.put(name, (f, input, arguments) -> {
            arguments.bind("do_" + name, 0);
            return like(input, change.apply(f.values.string(input)));
        });
    }

    static Object like(Object input, String text) {
        return input instanceof Markup ? new Markup(text) : text;
    }

    private static String title(String text) {
        StringBuilder result = new StringBuilder(text.length());
        Matcher separators = WORD_START.matcher(text);
        int from = 0;
        while (separators.find()) {
            result.append(titleWord(text.substring(from, separators.start()))).append(separators.group());
            from = separators.end();
        }
        return result.append(titleWord(text.substring(from))).toString();
    }

    private static String titleWord(String word) {
        int first = word.isEmpty() ? 0 : Character.charCount(word.codePointAt(0));
        return Text.upper(word.substring(0, first)) + Text.lower(word.substring(first));
    }

    private static Object trim(Filters f, Object input, Arguments arguments) {
        Bound bound = arguments.bind("do_trim", 0, "chars");
        return like(input, StringMethods.strip(f.values.string(input), bound.get(0), true, true));
    }

    private static Object center(Filters f, Object input, Arguments arguments) {
        int width = arguments.bind("do_center", 0, "width").integer(0, 80);
        return like(input, Text.pad(f.values.string(input), width, " ", 1, f.values.budget()));
    }

    private static Object replace(Filters f, Object input, Arguments arguments) {
        Bound bound = arguments.bind("do_replace", 2, "old", "new", "count");
        int count = bound.has(2) ? bound.integer(2, -1) : -1;
        return Text.replace(f.values.string(input), f.values.string(bound.get(0)), f.values.string(bound.get(1)), count,
                f.values.budget());
    }

    private static Object join(Filters f, Object input, Arguments arguments) {
        Bound bound = arguments.bind("do_join", 0, "d", "attribute");
        Lookup attribute = bound.has(1) ? Lookup.of(bound.get(1), f) : item -> item;
        String separator = f.values.string(bound.get(0, ""));
        StringBuilder text = new StringBuilder();
        for (Iterator<Object> items = f.values.iterate(input); items.hasNext();) {
            text.append(f.values.string(attribute.in(items.next())));
            text.append(items.hasNext() ? separator : "");
            f.values.budget().growing(text);
        }
        f.values.budget().length(text.length());
        return text.toString();
    }

    private static Object indent(Filters f, Object input, Arguments arguments) {
        Bound bound = arguments.bind("do_indent", 0, "width", "first", "blank");
        Object width = bound.get(0, 4L);
        String indentation = Types.isText(width) ? Types.text(width)
                : Text.repeat(" ", Numbers.index(width), f.values.budget());
        String text = Types.text(f.operators.binary("+", input, like(input, "\n")));
        boolean blank = bound.truth(2, false);
        List<Object> lines = Text.lines(text, false);
        f.values.budget().length(text.length() + (long) lines.size() * indentation.length());
        StringBuilder result = new StringBuilder(bound.truth(1, false) ? indentation : "");
        for (int i = 0; i < lines.size(); i++) {
            String line = (String) lines.get(i);
            boolean indented = i > 0 && (blank || !line.isEmpty());
            result.append(i > 0 ? "\n" : "").append(indented ? indentation : "").append(line);
        }
        return like(input, result.toString());
    }

    private static Object truncate(Filters f, Object input, Arguments arguments) {
        Bound bound = arguments.bind("do_truncate", 0, "length", "killwords", "end", "leeway");
        int length = bound.integer(0, 255);
        String end = f.values.string(bound.get(2, "..."));
        int leeway = bound.has(3) ? bound.integer(3, 5) : 5;
        int kept = length - Text.length(end);
        if (kept < 0 || leeway < 0) {
            throw TemplateException.value("expected length >= %d and leeway >= 0, got %d and %d", Text.length(end),
                    length, leeway);
        }
        String text = f.values.string(input);
        if (Text.length(text) <= (long) length + leeway) {
            return input;
        }
        String start = Text.between(text, 0, kept);
        int lastSpace = bound.truth(1, false) ? -1 : start.lastIndexOf(' ');
        return like(input, (lastSpace < 0 ? start : start.substring(0, lastSpace)) + end);
    }

    private static Object format(Filters f, Object input, Arguments arguments) {
        if (!arguments.positional().isEmpty() && !arguments.named().isEmpty()) {
            throw new TemplateException(Kind.ARGUMENT,
                    "can't handle positional and keyword arguments at the same time");
        }
        Object text = input instanceof Markup ? input : f.values.string(input);
        Object operand = arguments.named().isEmpty() ? new Tuple(new ArrayList<>(arguments.positional()))
                : new LinkedHashMap<Object, Object>(arguments.named());
        return PercentFormat.format(text, operand, f.values);
    }

    private static Object escape(Filters f, Object input, Arguments arguments) {
        arguments.bind("escape", 0);
        return Markup.escaped(input, f.values);
    }

    private static Object stripTags(Filters f, Object input, Arguments arguments) {
        String text = TAG.matcher(f.values.string(input)).replaceAll("");
        return String.join(" ", Splitting.words(text)).replace("&lt;", "<").replace("&gt;", ">")
                .replace("&#39;", "'").replace("&#34;", "\"").replace("&quot;", "\"").replace("&amp;", "&");
    }

    private static Object urlEncode(Filters f, Object input, Arguments arguments) {
        if (Types.isText(input) || !Values.isIterable(input)) {
            return quoted(f.values.string(input), false);
        }
        Object pairs = input instanceof Map<?, ?> dict ? DictView.items(dict) : input;
        List<String> parts = new ArrayList<>();
        f.values.iterate(pairs).forEachRemaining(pair -> {
            List<Object> entry = f.values.list(pair);
            if (entry.size() != 2) {
                throw TemplateException.value("urlencode needs pairs of key and value");
            }
            parts.add(quoted(f.values.string(entry.get(0)), true) + "=" + quoted(f.values.string(entry.get(1)), true));
        });
        return String.join("&", parts);
    }

    private static String quoted(String text, boolean inQuery) {
        StringBuilder result = new StringBuilder();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 0xff);
            boolean plain = c < 128 && Character.isLetterOrDigit(c) || "_.-~".indexOf(c) >= 0 || c == '/' && !inQuery;
            if (plain) {
                result.append(c);
            } else {
                result.append(c == ' ' && inQuery ? "+" : "%%%02X".formatted((int) c));
            }
        }
        return result.toString();
    }
}
