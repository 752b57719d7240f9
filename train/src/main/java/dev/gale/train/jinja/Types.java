package dev.gale.train.jinja;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;

/// Which Python type a value has, and whether it counts as true.
///
/// | Python | Java |
/// |---|---|
/// | None, bool, str | null, Boolean, String |
/// | int, float | Long or BigInteger (never a value that fits a Long), Double |
/// | list, tuple, dict, range | List, [Tuple], Map in insertion order, [Range] |
/// | Markup, generator, dict views, namespace | [Markup], [Generator], [DictView], [Namespace] |
final class Types {
    private Types() {}

    static String name(Object value) {
        return switch (value) {
            case null -> "NoneType";
            case Boolean b -> "bool";
            case Long l -> "int";
            case BigInteger i -> "int";
            case Double d -> "float";
            case String s -> "str";
            case Markup m -> "Markup";
            case Range r -> "range";
            case List<?> l -> "list";
            case Tuple t -> "tuple";
            case Map<?, ?> m -> "dict";
            case DictView v -> v.type();
            case Generator g -> "generator";
            case Undefined u -> "Undefined";
            case Namespace n -> "Namespace";
            case Loop l -> "LoopContext";
            case Callable c -> c.typeName();
            default -> value.getClass().getSimpleName();
        };
    }

    /// The type's name as messages about missing attributes give it, with its module unless that is `builtins`.
    static String qualifiedName(Object value) {
        return switch (value) {
            case Markup m -> "markupsafe.Markup";
            case Namespace n -> "jinja2.utils.Namespace";
            case Cycler c -> "jinja2.utils.Cycler";
            case Loop l -> "jinja2.runtime.LoopContext";
            case Macro m -> "jinja2.runtime.Macro";
            case null, default -> name(value);
        };
    }

    static boolean truth(Object value) {
        return switch (value) {
            case null -> false;
            case Boolean b -> b;
            case Long l -> l != 0;
            case Double d -> d != 0;
            case String s -> !s.isEmpty();
            case Markup m -> !m.text().isEmpty();
            case List<?> l -> !l.isEmpty();
            case Tuple t -> !t.items().isEmpty();
            case Map<?, ?> m -> !m.isEmpty();
            case DictView v -> !v.items().isEmpty();
            case Undefined u -> false;
            case Loop l -> l.length() > 0;
            default -> true;
        };
    }

    static boolean isText(Object value) {
        return value instanceof String || value instanceof Markup;
    }

    /// The characters of a string, safe or not; null for any other value.
    static String text(Object value) {
        return value instanceof Markup markup ? markup.text() : value instanceof String text ? text : null;
    }

    /// The items of a list, tuple or range; null for any other value.
    static List<?> sequence(Object value) {
        return value instanceof Tuple tuple ? tuple.items() : value instanceof List<?> list ? list : null;
    }

    static boolean isInteger(Object value) {
        return value instanceof Long || value instanceof BigInteger || value instanceof Boolean;
    }

    static boolean isNumber(Object value) {
        return value instanceof Double || isInteger(value);
    }
}
