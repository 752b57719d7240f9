package dev.gale.train.jinja;

import java.util.ArrayList;
import java.util.List;

/// What the argument `attribute` of a filter names in an item: `'a'`, `'a.b'`, `'a.0'` or 0.
@FunctionalInterface
interface Lookup {
    Object in(Object item);

    static Lookup of(Object attribute, Filters filters) {
        return of(attribute, null, filters);
    }

    /// With a value that takes the place of what is undefined, unless it is None.
    static Lookup of(Object attribute, Object otherwise, Filters filters) {
        List<Object> parts = parts(attribute);
        return item -> {
            Object value = item;
            for (Object part : parts) {
                value = filters.subscripts.item(value, part);
                value = value instanceof Undefined && otherwise != null ? otherwise : value;
            }
            return value;
        };
    }

    private static List<Object> parts(Object attribute) {
        String path = Types.text(attribute);
        if (path == null) {
            return attribute == null ? List.of() : List.of(attribute);
        }
        List<Object> parts = new ArrayList<>();
        for (String part : path.split("\\.", -1)) {
            boolean number = Text.all(part, Character::isDigit);
            parts.add(number ? Numbers.parseInteger(part, 10) : part);
        }
        return parts;
    }

    /// The same value with strings in lower case, unless `caseSensitive`.
    default Lookup ignoringCase(boolean caseSensitive) {
        return caseSensitive ? this : item -> {
            Object value = in(item);
            return Types.isText(value) ? Text.lower(Types.text(value)) : value;
        };
    }
}
