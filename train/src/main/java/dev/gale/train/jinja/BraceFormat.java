package dev.gale.train.jinja;

import dev.gale.train.jinja.TemplateException.Kind;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// `'{} is {x:>8.2f}'.format(a, x=b)`
final class BraceFormat {
    private static final Pattern FIRST = Pattern.compile("[^.\\[]*");
    private static final Pattern REST = Pattern.compile("\\.([^.\\[]+)|\\[([^\\]]+)\\]");

    private final Arguments arguments;
    private final Values values;
    private final Subscripts subscripts;
    private final boolean escaping;
    private int nextIndex;
    private boolean numbered;

    private BraceFormat(Arguments arguments, Values values, boolean escaping) {
        this.arguments = arguments;
        this.values = values;
        this.escaping = escaping;
        subscripts = new Subscripts(values);
    }

    static String format(String text, Arguments arguments, Values values, boolean escaping) {
        String result = new BraceFormat(arguments, values, escaping).fill(text, 2);
        values.budget().length(result.length());
        return result;
    }

    private String fill(String text, int levels) {
        if (levels == 0) {
            throw TemplateException.value("Max string recursion exceeded");
        }
        StringBuilder result = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if ((c == '{' || c == '}') && i + 1 < text.length() && text.charAt(i + 1) == c) {
                result.append(c);
                i++;
            } else if (c == '}') {
                throw TemplateException.value("Single '}' encountered in format string");
            } else if (c == '{') {
                int end = closing(text, i + 1);
                result.append(field(text.substring(i + 1, end), levels));
                values.budget().growing(result);
                i = end;
            } else {
                result.append(c);
            }
        }
        return result.toString();
    }

    private static int closing(String text, int from) {
        int open = 1;
        for (int i = from; i < text.length(); i++) {
            open += text.charAt(i) == '{' ? 1 : text.charAt(i) == '}' ? -1 : 0;
            if (open == 0) {
                return i;
            }
        }
        throw TemplateException.value(from == text.length() ? "Single '{' encountered in format string"
                : "expected '}' before end of string");
    }

    private String field(String field, int levels) {
        int colon = endOfName(field, ':');
        String head = colon < 0 ? field : field.substring(0, colon);
        int bang = endOfName(head, '!');
        Object value = value(bang < 0 ? head : head.substring(0, bang));
        if (bang >= 0) {
            value = switch (head.substring(bang + 1)) {
                case "s" -> values.string(value);
                case "r", "a" -> values.repr(value);
                default -> throw TemplateException.value("Unknown conversion specifier %s", head.substring(bang + 1));
            };
        }
        String specification = colon < 0 ? "" : fill(field.substring(colon + 1), levels - 1);
        String text = FormatSpecification.format(value, specification, values);
        return escaping && !(value instanceof Markup) ? Markup.escape(text) : text;
    }

    /// Where a field's name ends with this mark; inside brackets it does not count.
    private static int endOfName(String field, char mark) {
        boolean inBrackets = false;
        for (int i = 0; i < field.length(); i++) {
            char c = field.charAt(i);
            inBrackets = c == '[' || inBrackets && c != ']';
            if (c == mark && !inBrackets) {
                return i;
            }
        }
        return -1;
    }

    private Object value(String name) {
        Matcher first = FIRST.matcher(name);
        first.lookingAt();
        Object value = argument(first.group());
        Matcher rest = REST.matcher(name);
        int at = first.end();
        while (at < name.length()) {
            if (!rest.region(at, name.length()).lookingAt()) {
                throw TemplateException.value("Empty attribute in format string");
            }
            value = rest.group(1) != null ? subscripts.attribute(value, rest.group(1))
                    : subscripts.item(value, Text.all(rest.group(2), c -> c >= '0' && c <= '9')
                            ? Numbers.parseInteger(rest.group(2), 10) : rest.group(2));
            at = rest.end();
        }
        return value;
    }

    private Object argument(String name) {
        boolean number = Text.all(name, c -> c >= '0' && c <= '9');
        if (!name.isEmpty() && !number) {
            if (!arguments.named().containsKey(name)) {
                throw new TemplateException(Kind.KEY, Repr.quote(name));
            }
            return arguments.named().get(name);
        }
        if (number && nextIndex > 0 || name.isEmpty() && numbered) {
            throw TemplateException.value("cannot switch from %s", number
                    ? "automatic field numbering to manual field specification"
                    : "manual field specification to automatic field numbering");
        }
        numbered |= number;
        int index = number ? Numbers.index(Numbers.parseInteger(name, 10)) : nextIndex++;
        if (index >= arguments.positional().size()) {
            throw new TemplateException(Kind.INDEX, "tuple index out of range");
        }
        return arguments.positional().get(index);
    }
}
