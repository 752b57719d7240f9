package dev.gale.train.jinja;

import dev.gale.train.jinja.Arguments.Bound;
import dev.gale.train.jinja.Callable.Function;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/// The methods of Python's strings.
final class StringMethods {
    private interface Method {
        Object call(String text, Arguments arguments, Values values);
    }

    private static final Map<String, Method> METHODS = new HashMap<>();

    static {
        changing("upper", Text::upper);
        changing("lower", Text::lower);
        changing("casefold", text -> Text.lower(text).replace("ß", "ss"));
        changing("capitalize", Text::capitalize);
        changing("title", Text::title);
        changing("swapcase", Text::swapCase);
        checking("isspace", Text::isBlank);
        checking("isupper", Text::isUpper);
        checking("islower", Text::isLower);
        checking("istitle", Text::isTitle);
        checking("isascii", text -> text.chars().allMatch(c -> c < 128));
        checking("isprintable", text -> text.codePoints().allMatch(Repr::isPrintable));
        checking("isidentifier", text -> !text.isEmpty() && (text.charAt(0) == '_'
                || Character.isUnicodeIdentifierStart(text.codePointAt(0)))
                && Text.all(text, Character::isUnicodeIdentifierPart));
        checkingAll("isalpha", Character::isLetter);
        checkingAll("isalnum", c -> Character.isLetter(c) || isDigit(c) || isNumeric(c));
        checkingAll("isdigit", StringMethods::isDigit);
        checkingAll("isdecimal", Character::isDigit);
        checkingAll("isnumeric", StringMethods::isNumeric);
        METHODS.put("strip", (text, arguments, values) ->
                strip(text, arguments.bind("strip", 0, "chars").get(0), true, true));
        METHODS.put("lstrip", (text, arguments, values) ->
                strip(text, arguments.bind("lstrip", 0, "chars").get(0), true, false));
        METHODS.put("rstrip", (text, arguments, values) ->
                strip(text, arguments.bind("rstrip", 0, "chars").get(0), false, true));
        METHODS.put("startswith", (text, arguments, values) -> hasAffix(text, arguments, "startswith"));
        METHODS.put("endswith", (text, arguments, values) -> hasAffix(text, arguments, "endswith"));
        METHODS.put("removeprefix", (text, arguments, values) -> {
            String prefix = required(arguments.bind("removeprefix", 1, "prefix").get(0));
            return text.startsWith(prefix) ? text.substring(prefix.length()) : text;
        });
        METHODS.put("removesuffix", (text, arguments, values) -> {
            String suffix = required(arguments.bind("removesuffix", 1, "suffix").get(0));
            return text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
        });
        METHODS.put("split", (text, arguments, values) -> Splitting.split(text, arguments, values, false));
        METHODS.put("rsplit", (text, arguments, values) -> Splitting.split(text, arguments, values, true));
        METHODS.put("splitlines", (text, arguments, values) ->
                Text.lines(text, arguments.bind("splitlines", 0, "keepends").truth(0, false)));
        METHODS.put("partition", (text, arguments, values) -> partition(text, arguments, false));
        METHODS.put("rpartition", (text, arguments, values) -> partition(text, arguments, true));
        METHODS.put("find", (text, arguments, values) -> find(text, arguments, "find"));
        METHODS.put("rfind", (text, arguments, values) -> find(text, arguments, "rfind"));
        METHODS.put("index", (text, arguments, values) -> found(find(text, arguments, "index")));
        METHODS.put("rindex", (text, arguments, values) -> found(find(text, arguments, "rindex")));
        METHODS.put("count", StringMethods::count);
        METHODS.put("replace", StringMethods::replace);
        METHODS.put("join", StringMethods::join);
        padding("ljust", 0);
        padding("center", 1);
        padding("rjust", 2);
        METHODS.put("zfill", StringMethods::zeroFill);
        METHODS.put("expandtabs", StringMethods::expandTabs);
        METHODS.put("format", (text, arguments, values) -> BraceFormat.format(text, arguments, values, false));
        METHODS.put("format_map", (text, arguments, values) -> formatMap(text, arguments, values, false));
    }

    private StringMethods() {}

    /// The method of this name, or null.
    static Function of(String text, String name, Values values) {
        Method method = METHODS.get(name);
        return method == null ? null : new Function(name, "builtin_function_or_method", arguments -> {
            values.budget().steps(text.length() / 16);
            return method.call(text, arguments, values);
        });
    }

    /// The method of this name of a safe text, or null: its results are safe, too, and what is put in is escaped.
    static Function of(Markup markup, String name, Values values) {
        Function method = of(markup.text(), name, values);
        return method == null ? null : new Function(name, "method", arguments -> safe(switch (name) {
            case "format" -> BraceFormat.format(markup.text(), arguments, values, true);
            case "format_map" -> formatMap(markup.text(), arguments, values, true);
            case "join" -> method.call(new Arguments(List.of(values.list(arguments.bind("join", 1, "iterable").get(0))
                    .stream().map(item -> (Object) Markup.escaped(item, values).text()).toList()), Map.of()));
            case "replace" -> {
                Bound bound = arguments.bind("replace", 2, "old", "new", "count");
                yield method.call(new Arguments(List.of(bound.get(0), Markup.escaped(bound.get(1), values).text(),
                        bound.get(2, -1L)), Map.of()));
            }
            default -> method.call(arguments);
        }));
    }

    private static Object safe(Object result) {
        return switch (result) {
            case String text -> new Markup(text);
            case List<?> list -> new ArrayList<>(list.stream().map(StringMethods::safe).toList());
            case Tuple tuple -> new Tuple(tuple.items().stream().map(StringMethods::safe).toList());
            default -> result;
        };
    }

    private static void changing(String name, UnaryOperator<String> change) {
        METHODS.put(name, (text, arguments, values) -> {
            arguments.bind(name, 0);
            return change.apply(text);
        });
    }

    private static void checking(String name, Predicate<String> check) {
        METHODS.put(name, (text, arguments, values) -> {
            arguments.bind(name, 0);
            return check.test(text);
        });
    }

    private static void checkingAll(String name, IntPredicate check) {
        checking(name, text -> Text.all(text, check));
    }

    private static boolean isDigit(int c) {
        int value = Character.getNumericValue(c);
        return Character.isDigit(c) || Character.getType(c) == Character.OTHER_NUMBER && value >= 0 && value < 10
                && Character.getName(c).matches(".*(SUPERSCRIPT|SUBSCRIPT|CIRCLED).*");
    }

    private static boolean isNumeric(int c) {
        return Character.isDigit(c) || Character.getType(c) == Character.OTHER_NUMBER
                || Character.getType(c) == Character.LETTER_NUMBER;
    }

    /// The text of an argument that must be a string.
    static String required(Object argument) {
        String text = Types.text(argument);
        if (text == null) {
            throw TemplateException.type("must be str, not %s", Types.name(argument));
        }
        return text;
    }

    /// The text without whitespace at its ends, or without the characters in `unwanted` if that is not None.
    static String strip(String text, Object unwanted, boolean atStart, boolean atEnd) {
        String characters = unwanted == null ? null : Types.text(unwanted);
        if (unwanted != null && characters == null) {
            throw TemplateException.type("strip arg must be None or str");
        }
        IntPredicate condition = characters == null ? Text::isSpace : c -> characters.indexOf(c) >= 0;
        String stripped = atStart ? Text.stripStart(text, condition) : text;
        return atEnd ? Text.stripEnd(stripped, condition) : stripped;
    }

    /// A part of a text that `start` and `end` arguments mark; `offset` is the index of its first character.
    private record Part(String text, int offset) {
        static Part of(String text, Bound bound) {
            int size = Text.length(text);
            int start = bound.has(1) ? position(bound.integer(1, 0), size) : 0;
            int end = bound.has(2) ? Math.min(size, position(bound.integer(2, 0), size)) : size;
            return start > end ? null : new Part(Text.between(text, start, end), start);
        }

        private static int position(int index, int size) {
            return index < 0 ? Math.max(0, index + size) : index;
        }
    }

    private static boolean hasAffix(String text, Arguments arguments, String name) {
        Bound bound = arguments.bind(name, 1, "prefix", "start", "end");
        Part part = Part.of(text, bound);
        List<?> affixes = bound.get(0) instanceof Tuple tuple ? tuple.items() : Collections.singletonList(bound.get(0));
        for (Object affix : affixes) {
            String wanted = Types.text(affix);
            if (wanted == null) {
                throw TemplateException.type("%s first arg must be str or a tuple of str, not %s", name,
                        Types.name(affix));
            }
            boolean atStart = name.equals("startswith");
            if (part != null && (atStart ? part.text().startsWith(wanted) : part.text().endsWith(wanted))) {
                return true;
            }
        }
        return false;
    }

    private static Tuple partition(String text, Arguments arguments, boolean last) {
        String separator = required(arguments.bind("partition", 1, "sep").get(0));
        if (separator.isEmpty()) {
            throw TemplateException.value("empty separator");
        }
        int at = last ? text.lastIndexOf(separator) : text.indexOf(separator);
        if (at < 0) {
            return last ? Tuple.of("", "", text) : Tuple.of(text, "", "");
        }
        return Tuple.of(text.substring(0, at), separator, text.substring(at + separator.length()));
    }

    private static long find(String text, Arguments arguments, String name) {
        Bound bound = arguments.bind(name, 1, "sub", "start", "end");
        Part part = Part.of(text, bound);
        String wanted = required(bound.get(0));
        int at = part == null ? -1
                : name.startsWith("r") ? part.text().lastIndexOf(wanted) : part.text().indexOf(wanted);
        return at < 0 ? -1 : part.offset() + part.text().codePointCount(0, at);
    }

    private static long found(long index) {
        if (index < 0) {
            throw TemplateException.value("substring not found");
        }
        return index;
    }

    private static Object count(String text, Arguments arguments, Values values) {
        Bound bound = arguments.bind("count", 1, "sub", "start", "end");
        Part part = Part.of(text, bound);
        String wanted = required(bound.get(0));
        return part == null ? 0L : (long) Text.count(part.text(), wanted);
    }

    private static Object replace(String text, Arguments arguments, Values values) {
        Bound bound = arguments.bind("replace", 2, "old", "new", "count");
        return Text.replace(text, required(bound.get(0)), required(bound.get(1)), bound.integer(2, -1),
                values.budget());
    }

    private static Object join(String separator, Arguments arguments, Values values) {
        StringBuilder text = new StringBuilder();
        Iterator<Object> items = values.iterate(arguments.bind("join", 1, "iterable").get(0));
        for (int i = 0; items.hasNext(); i++) {
            Object item = items.next();
            if (!Types.isText(item)) {
                throw TemplateException.type("sequence item %d: expected str instance, %s found", i, Types.name(item));
            }
            text.append(i > 0 ? separator : "").append(Types.text(item));
            values.budget().growing(text);
        }
        values.budget().length(text.length());
        return text.toString();
    }

    private static void padding(String name, int left) {
        METHODS.put(name, (text, arguments, values) -> {
            Bound bound = arguments.bind(name, 1, "width", "fillchar");
            String fill = required(bound.get(1, " "));
            if (Text.length(fill) != 1) {
                throw TemplateException.type("The fill character must be exactly one character long");
            }
            return Text.pad(text, bound.integer(0, 0), fill, left, values.budget());
        });
    }

    private static Object zeroFill(String text, Arguments arguments, Values values) {
        int width = arguments.bind("zfill", 1, "width").integer(0, 0);
        boolean signed = text.startsWith("-") || text.startsWith("+");
        String digits = signed ? text.substring(1) : text;
        String filled = Text.pad(digits, signed ? width - 1 : width, "0", 2, values.budget());
        return (signed ? text.substring(0, 1) : "") + filled;
    }

    private static Object expandTabs(String text, Arguments arguments, Values values) {
        int size = arguments.bind("expandtabs", 0, "tabsize").integer(0, 8);
        values.budget().length(text.length() + (long) Text.count(text, "\t") * Math.max(0, size));
        StringBuilder result = new StringBuilder();
        int column = 0;
        for (char c : text.toCharArray()) {
            if (c == '\t') {
                int spaces = size > 0 ? size - column % size : 0;
                result.repeat(' ', spaces);
                column += spaces;
            } else {
                result.append(c);
                column = c == '\n' || c == '\r' ? 0 : Character.isLowSurrogate(c) ? column : column + 1;
            }
        }
        return result.toString();
    }

    private static Object formatMap(String text, Arguments arguments, Values values, boolean escaping) {
        if (!(arguments.bind("format_map", 1, "mapping").get(0) instanceof Map<?, ?> fields)) {
            throw TemplateException.type("format_map() takes a mapping");
        }
        Map<String, Object> named = new LinkedHashMap<>();
        fields.forEach((key, value) -> named.put(String.valueOf(key), value));
        return BraceFormat.format(text, new Arguments(List.of(), named), values, escaping);
    }
}
