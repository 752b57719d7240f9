package dev.gale.train.jinja;

import dev.gale.train.jinja.Callable.Function;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// `object.name`, `object[key]` and slices, with what the immutable sandbox hides.
final class Subscripts {
    private static final Set<String> DICT_MUTATORS = Set.of("clear", "pop", "popitem", "setdefault", "update");
    private static final Set<String> LIST_MUTATORS =
            Set.of("append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove");
    private static final Set<String> INTERNALS = Set.of("__class__", "__delattr__", "__dir__", "__doc__", "__eq__",
            "__format__", "__ge__", "__getattribute__", "__gt__", "__hash__", "__init__", "__init_subclass__", "__le__",
            "__lt__", "__ne__", "__new__", "__reduce__", "__reduce_ex__", "__repr__", "__setattr__", "__sizeof__",
            "__str__", "__subclasshook__");

    private final Values values;

    Subscripts(Values values) {
        this.values = values;
    }

    /// `object.name`: a method or property first, then an entry of that name.
    Object attribute(Object object, String name) {
        Object member = member(object, name);
        if (member == Values.ABSENT && object instanceof Map<?, ?> dict) {
            member = values.lookup(dict, name);
        }
        return member == Values.ABSENT ? Undefined.member(object, name, values) : member;
    }

    /// `object[key]`: an entry first, then a method or property of that name.
    Object item(Object object, Object key) {
        Object found = entry(object, key);
        String name = Types.text(key);
        if (found == Values.ABSENT && name != null) {
            found = member(object, name);
        }
        return found == Values.ABSENT ? Undefined.member(object, name == null ? key : name, values) : found;
    }

    /// A method or property alone, or [Values#ABSENT].
    Object member(Object object, String name) {
        if (object instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (INTERNALS.contains(name)) {
            return Undefined.unsafe(object, name);
        }
        return switch (object) {
            case String text -> bound(StringMethods.of(text, name, values));
            case Markup markup -> bound(StringMethods.of(markup, name, values));
            case Map<?, ?> dict ->
                    DICT_MUTATORS.contains(name) ? Undefined.unsafe(object, name) : dictMember(dict, name);
            case Range range -> rangeMember(range, name);
            case List<?> list -> LIST_MUTATORS.contains(name) ? Undefined.unsafe(object, name) : listMember(list, name);
            case Tuple tuple -> tupleMember(tuple, name);
            case Namespace namespace -> namespace.fields().getOrDefault(name, Values.ABSENT);
            case Loop loop -> loop.member(name);
            case Macro macro -> macro.member(name);
            case Cycler cycler -> cycler.member(name);
            case Object number when Types.isNumber(number) -> numberMember(number, name);
            case null, default -> Values.ABSENT;
        };
    }

    private static Object bound(Function method) {
        return method == null ? Values.ABSENT : method;
    }

    private static Function method(String name, java.util.function.Function<Arguments, Object> body) {
        return new Function(name, "builtin_function_or_method", body);
    }

    private Object dictMember(Map<?, ?> dict, String name) {
        return switch (name) {
            case "get" -> method(name, arguments -> {
                Arguments.Bound bound = arguments.bind("get", 1, "key", "default");
                Object found = values.lookup(dict, bound.get(0));
                return found == Values.ABSENT ? bound.get(1) : found;
            });
            case "items" -> method(name, arguments -> withoutArguments(arguments, name, DictView.items(dict)));
            case "keys" -> method(name, arguments -> withoutArguments(arguments, name, DictView.keys(dict)));
            case "values" -> method(name, arguments -> withoutArguments(arguments, name, DictView.values(dict)));
            case "copy" -> method(name, arguments -> withoutArguments(arguments, name, dict));
            default -> Values.ABSENT;
        };
    }

    private Object withoutArguments(Arguments arguments, String name, Object result) {
        arguments.bind(name, 0);
        values.budget().steps(Math.max(1, Values.lengthOrMinusOne(result)));
        return result;
    }

    private Object listMember(List<?> list, String name) {
        return switch (name) {
            case "index" -> method(name, arguments -> {
                Arguments.Bound bound = arguments.bind("index", 1, "value", "start", "stop");
                int size = list.size();
                int stop = clamp(bound.integer(2, size), size);
                for (int i = clamp(bound.integer(1, 0), size); i < stop; i++) {
                    if (values.equal(list.get(i), bound.get(0))) {
                        return (long) i;
                    }
                }
                throw TemplateException.value("%s is not in list", values.repr(bound.get(0)));
            });
            case "count" -> method(name, arguments -> {
                Object wanted = arguments.bind("count", 1, "value").get(0);
                return list.stream().filter(item -> values.equal(item, wanted)).count();
            });
            case "copy" -> method(name, arguments -> withoutArguments(arguments, name, list));
            default -> Values.ABSENT;
        };
    }

    private Object tupleMember(Tuple tuple, String name) {
        int field = tuple.names().indexOf(name);
        return field >= 0 ? tuple.items().get(field)
                : name.equals("copy") ? Values.ABSENT : listMember(tuple.items(), name);
    }

    private static int clamp(int index, int size) {
        return index < 0 ? Math.max(0, index + size) : Math.min(index, size);
    }

    private Object rangeMember(Range range, String name) {
        return switch (name) {
            case "start" -> range.start;
            case "stop" -> range.stop;
            case "step" -> range.step;
            case "copy" -> Values.ABSENT;
            default -> listMember(range, name);
        };
    }

    private static Object numberMember(Object number, String name) {
        boolean real = number instanceof Double;
        return switch (name) {
            case "real" -> Numbers.plus(number);
            case "imag" -> real ? (Object) 0.0 : (Object) 0L;
            case "numerator" -> real ? Values.ABSENT : Numbers.plus(number);
            case "denominator" -> real ? Values.ABSENT : (Object) 1L;
            case "bit_length" -> real ? Values.ABSENT
                    : method(name, arguments -> (long) Numbers.big(number).abs().bitLength());
            case "is_integer" -> real ? method(name, arguments -> (Double) number == Math.rint((Double) number)
                    && !Double.isInfinite((Double) number)) : Values.ABSENT;
            default -> Values.ABSENT;
        };
    }

    private Object entry(Object object, Object key) {
        if (object instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (object instanceof Map<?, ?> dict) {
            return key instanceof List<?> || key instanceof Map<?, ?> ? Values.ABSENT : values.lookup(dict, key);
        }
        if (!Types.isInteger(key)) {
            return Values.ABSENT;
        }
        String text = Types.text(object);
        List<?> sequence = Types.sequence(object);
        if (text == null && sequence == null) {
            return Values.ABSENT;
        }
        int size = text != null ? Text.length(text) : sequence.size();
        long index = Numbers.index(key);
        index = index < 0 ? index + size : index;
        if (index < 0 || index >= size) {
            return Values.ABSENT;
        }
        return text == null ? sequence.get((int) index) : like(object, Text.at(text, (int) index));
    }

    private static Object like(Object object, String part) {
        return object instanceof Markup ? new Markup(part) : part;
    }

    /// `object[start:stop:step]`
    Object slice(Object object, Object start, Object stop, Object step) {
        Values.requireDefined(object);
        String text = Types.text(object);
        List<?> sequence = text == null ? Types.sequence(object) : null;
        if (object instanceof Map<?, ?>) {
            throw TemplateException.type("unhashable type: 'slice'");
        }
        if (text == null && sequence == null) {
            throw TemplateException.type("'%s' object is not subscriptable", Types.name(object));
        }
        int stride = step == null ? 1 : Math.max(-Integer.MAX_VALUE, bound(step));
        if (stride == 0) {
            throw TemplateException.value("slice step cannot be zero");
        }
        int size = text != null ? Text.length(text) : sequence.size();
        long first = start == null ? stride > 0 ? 0 : size - 1 : limit(bound(start), size, stride);
        long last = stop == null ? stride > 0 ? size : -1 : limit(bound(stop), size, stride);
        if (text != null && stride == 1) {
            return like(object, first < last ? Text.between(text, (int) first, (int) last) : "");
        }
        return strided(object, text != null ? Text.characters(text) : sequence, first, last, stride);
    }

    private Object strided(Object object, List<?> items, long first, long last, int stride) {
        if (object instanceof Range range) {
            return new Range(range.start + first * range.step, range.start + last * range.step, range.step * stride);
        }
        List<Object> result = new ArrayList<>();
        for (long i = first; stride > 0 ? i < last : i > last; i += stride) {
            values.budget().step();
            result.add(items.get((int) i));
        }
        if (Types.isText(object)) {
            StringBuilder text = new StringBuilder(result.size());
            result.forEach(text::append);
            return like(object, text.toString());
        }
        return object instanceof Tuple ? new Tuple(result) : result;
    }

    private static int bound(Object value) {
        if (!Types.isInteger(value)) {
            Values.requireDefined(value);
            throw TemplateException.type("slice indices must be integers or None or have an __index__ method");
        }
        BigInteger big = Numbers.big(value);
        return big.bitLength() < 32 ? big.intValue() : big.signum() < 0 ? -Integer.MAX_VALUE : Integer.MAX_VALUE;
    }

    private static long limit(long bound, int size, int stride) {
        long index = bound < 0 ? bound + size : bound;
        return stride > 0 ? Math.clamp(index, 0, size) : Math.clamp(index, -1, size - 1);
    }
}
