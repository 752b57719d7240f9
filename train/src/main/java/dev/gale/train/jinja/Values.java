package dev.gale.train.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/// What Python does with values of any type: equality, order, membership, iteration, conversion. Charges the budget of
/// the rendering it works for.
final class Values {
    /// Stands for what a lookup did not find; never reaches a template.
    static final Object ABSENT = new Object();

    private final Budget budget;

    Values(Budget budget) {
        this.budget = budget;
    }

    Budget budget() {
        return budget;
    }

    String string(Object value) {
        return Repr.string(value, budget);
    }

    String repr(Object value) {
        return Repr.repr(value, budget);
    }

    boolean equal(Object a, Object b) {
        if (Types.isNumber(a) && Types.isNumber(b)) {
            return Numbers.compare(a, b) == 0;
        }
        if (Types.isText(a) && Types.isText(b)) {
            return Types.text(a).equals(Types.text(b));
        }
        if (a == b) {
            return true;
        }
        budget.enter();
        boolean equal = switch (a) {
            case Undefined u -> b instanceof Undefined;
            case Tuple t -> b instanceof Tuple other && equalItems(t.items(), other.items());
            case List<?> l -> b instanceof List<?> other && l instanceof Range == other instanceof Range
                    && equalItems(l, other);
            case Map<?, ?> m -> b instanceof Map<?, ?> other && equalEntries(m, other);
            case DictView v -> b instanceof DictView other && equalViews(v, other);
            case null, default -> false;
        };
        budget.leave();
        return equal;
    }

    private boolean equalItems(List<?> a, List<?> b) {
        if (a.size() != b.size()) {
            return false;
        }
        for (int i = 0; i < a.size(); i++) {
            if (!equal(a.get(i), b.get(i))) {
                return false;
            }
        }
        return true;
    }

    private boolean equalEntries(Map<?, ?> a, Map<?, ?> b) {
        if (a.size() != b.size()) {
            return false;
        }
        for (Map.Entry<?, ?> entry : a.entrySet()) {
            Object other = lookup(b, entry.getKey());
            if (other == ABSENT || !equal(entry.getValue(), other)) {
                return false;
            }
        }
        return true;
    }

    private boolean equalViews(DictView a, DictView b) {
        boolean comparable = a.type().equals(b.type()) && !a.type().equals("dict_values");
        return comparable && a.items().size() == b.items().size()
                && a.items().stream().allMatch(item -> contains(b, item));
    }

    /// Whether `a operator b` holds, for one of `< <= > >=`.
    boolean ordered(String operator, Object a, Object b) {
        budget.step();
        if (Types.isNumber(a) && Types.isNumber(b)) {
            int order = Numbers.compare(a, b);
            return order != 2 && holds(operator, order);
        }
        if (Types.isText(a) && Types.isText(b)) {
            return holds(operator, compareCodePoints(Types.text(a), Types.text(b)));
        }
        boolean comparable = a instanceof Tuple && b instanceof Tuple
                || a instanceof List<?> && b instanceof List<?> && !(a instanceof Range) && !(b instanceof Range);
        if (comparable) {
            return orderedItems(operator, Types.sequence(a), Types.sequence(b));
        }
        requireDefined(a);
        requireDefined(b);
        throw TemplateException.type("'%s' not supported between instances of '%s' and '%s'", operator, Types.name(a),
                Types.name(b));
    }

    private boolean orderedItems(String operator, List<?> a, List<?> b) {
        int common = Math.min(a.size(), b.size());
        for (int i = 0; i < common; i++) {
            if (!equal(a.get(i), b.get(i))) {
                return ordered(operator, a.get(i), b.get(i));
            }
        }
        return holds(operator, Integer.compare(a.size(), b.size()));
    }

    private static boolean holds(String operator, int order) {
        return switch (operator) {
            case "<" -> order < 0;
            case "<=" -> order <= 0;
            case ">" -> order > 0;
            default -> order >= 0;
        };
    }

    /// UTF-16 order differs from the order of code points where surrogates meet the end of the basic plane.
    private static int compareCodePoints(String a, String b) {
        int at = Arrays.mismatch(a.toCharArray(), b.toCharArray());
        if (at < 0 || at >= Math.min(a.length(), b.length())) {
            return Integer.compare(a.length(), b.length());
        }
        boolean inPair = at > 0 && Character.isHighSurrogate(a.charAt(at - 1));
        return Integer.compare(a.codePointAt(inPair ? at - 1 : at), b.codePointAt(inPair ? at - 1 : at));
    }

    static void requireDefined(Object value) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
    }

    /// The items in ascending or descending order of their keys; equal ones keep their order.
    <T> List<T> sorted(List<T> items, Function<? super T, Object> key, boolean descending) {
        record Keyed<T>(T item, Object key) {}
        List<Keyed<T>> keyed = new ArrayList<>(items.size());
        items.forEach(item -> keyed.add(new Keyed<>(item, key.apply(item))));
        // Our own merge sort, because keys such as NaN have no consistent order, which Java's sort refuses
        List<T> sorted = new ArrayList<>(items.size());
        mergeSort(keyed, (a, b) -> descending ? ordered("<", a.key(), b.key()) : ordered("<", b.key(), a.key()))
                .forEach(entry -> sorted.add(entry.item()));
        return sorted;
    }

    private static <T> List<T> mergeSort(List<T> items, java.util.function.BiPredicate<T, T> after) {
        if (items.size() < 2) {
            return items;
        }
        List<T> left = mergeSort(items.subList(0, items.size() / 2), after);
        List<T> right = mergeSort(items.subList(items.size() / 2, items.size()), after);
        List<T> merged = new ArrayList<>(items.size());
        int l = 0;
        for (T next : right) {
            while (l < left.size() && !after.test(left.get(l), next)) {
                merged.add(left.get(l++));
            }
            merged.add(next);
        }
        merged.addAll(left.subList(l, left.size()));
        return merged;
    }

    /// `item in container`
    boolean contains(Object container, Object item) {
        switch (container) {
            case String text -> {
                return containsText(text, item);
            }
            case Markup markup -> {
                return containsText(markup.text(), item);
            }
            case Map<?, ?> dict -> {
                return lookup(dict, item) != ABSENT;
            }
            case null, default -> {
                if (!isIterable(container)) {
                    throw TemplateException.type("argument of type '%s' is not iterable", Types.name(container));
                }
            }
        }
        for (Iterator<Object> items = iterate(container); items.hasNext();) {
            Object other = items.next();
            if (other == item || equal(other, item)) {
                return true;
            }
        }
        return false;
    }

    private static boolean containsText(String text, Object part) {
        if (!Types.isText(part)) {
            throw TemplateException.type("'in <string>' requires string as left operand, not %s", Types.name(part));
        }
        return text.contains(Types.text(part));
    }

    static boolean isIterable(Object value) {
        return switch (value) {
            case String s -> true;
            case Markup m -> true;
            case List<?> l -> true;
            case Tuple t -> true;
            case Map<?, ?> m -> true;
            case DictView v -> true;
            case Generator g -> true;
            case Undefined u -> true;
            case null, default -> false;
        };
    }

    /// The items that a loop over the value would see; every item costs a step.
    Iterator<Object> iterate(Object value) {
        Iterator<?> items = switch (value) {
            case String s -> Text.characters(s).iterator();
            case Markup m -> Text.characters(m.text()).iterator();
            case List<?> l -> l.iterator();
            case Tuple t -> t.items().iterator();
            case Map<?, ?> m -> m.keySet().iterator();
            case DictView v -> v.items().iterator();
            case Generator g -> g;
            case Undefined u -> Collections.emptyIterator();
            case null, default -> throw TemplateException.type("'%s' object is not iterable", Types.name(value));
        };
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return items.hasNext();
            }

            @Override
            public Object next() {
                budget.step();
                return items.next();
            }
        };
    }

    List<Object> list(Object value) {
        List<Object> items = new ArrayList<>();
        iterate(value).forEachRemaining(items::add);
        return items;
    }

    /// `len(value)`
    int length(Object value) {
        int length = lengthOrMinusOne(value);
        if (length < 0) {
            throw TemplateException.type("object of type '%s' has no len()", Types.name(value));
        }
        return length;
    }

    /// `len(value)`, or -1 if the value has none.
    static int lengthOrMinusOne(Object value) {
        return switch (value) {
            case String s -> Text.length(s);
            case Markup m -> Text.length(m.text());
            case List<?> l -> l.size();
            case Tuple t -> t.items().size();
            case Map<?, ?> m -> m.size();
            case DictView v -> v.items().size();
            case Undefined u -> 0;
            case Loop l -> l.length();
            case null, default -> -1;
        };
    }

    /// A Java key that is equal for values that Python's sets hold to be the same.
    Object hashKey(Object value) {
        return switch (value) {
            case Markup m -> m.text();
            case Boolean b -> b ? 1L : 0L;
            case Double d when d == Math.rint(d) && !Double.isInfinite(d) -> Numbers.truncate(d);
            case Tuple t -> new Tuple(t.items().stream().map(this::hashKey).toList());
            case Range r -> r;
            case List<?> l -> throw unhashable(value);
            case Map<?, ?> m -> throw unhashable(value);
            case null, default -> value;
        };
    }

    private static TemplateException unhashable(Object value) {
        return TemplateException.type("unhashable type: '%s'", Types.name(value));
    }

    /// The value that a dict holds for a key, or [#ABSENT].
    @SuppressWarnings("unchecked")
    Object lookup(Map<?, ?> dict, Object key) {
        Map<Object, Object> entries = (Map<Object, Object>) dict;
        Object found = presentKey(entries, key);
        return found == ABSENT ? ABSENT : entries.get(found);
    }

    /// Sets an entry of a dict under construction; as in Python, 1, 1.0 and True are one key, and the first one stays.
    void put(Map<Object, Object> dict, Object key, Object value) {
        Object found = presentKey(dict, key);
        dict.put(found == ABSENT ? key instanceof Markup markup ? markup.text() : key : found, value);
    }

    private Object presentKey(Map<Object, Object> dict, Object key) {
        Object plain = hashKey(key);
        if (dict.containsKey(plain)) {
            return plain;
        }
        if (dict.containsKey(key)) {
            return key;
        }
        if (plain instanceof Long number) {
            Object asReal = (double) number;
            Object asTruth = number == 0 ? (Object) false : number == 1 ? (Object) true : asReal;
            return dict.containsKey(asReal) ? asReal : dict.containsKey(asTruth) ? asTruth : ABSENT;
        }
        return ABSENT;
    }

    /// A value of a Java caller as a template's value, copied, with the types that [Types] lists.
    Object imported(Object value) {
        budget.enter();
        Object imported = switch (value) {
            case null -> null;
            case Boolean b -> b;
            case String s -> s;
            case Long l -> l;
            case Double d -> d;
            case Float f -> (double) f;
            case Integer i -> i.longValue();
            case Short s -> s.longValue();
            case Byte b -> b.longValue();
            case BigInteger i -> Numbers.normal(i);
            case BigDecimal d -> d.doubleValue();
            case Map<?, ?> m -> importedDict(m);
            case Iterable<?> items -> importedList(items);
            case Object[] items -> importedList(Arrays.asList(items));
            case TemplateFunction f -> new Callable.Function("function", arguments -> imported(f.call(
                    exportedList(arguments.positional()), exportedNames(arguments.named()))));
            default -> throw new IllegalArgumentException("a template cannot use a value of " + value.getClass());
        };
        budget.leave();
        return imported;
    }

    private Map<Object, Object> importedDict(Map<?, ?> dict) {
        Map<Object, Object> result = LinkedHashMap.newLinkedHashMap(dict.size());
        dict.forEach((key, value) -> result.put(imported(key), imported(value)));
        return result;
    }

    private List<Object> importedList(Iterable<?> items) {
        List<Object> result = new ArrayList<>();
        items.forEach(item -> result.add(imported(item)));
        return result;
    }

    /// A value as a [TemplateFunction] sees it: tuples, ranges and views are lists, safe text is text, and what is
    /// undefined is null.
    private Object exported(Object value) {
        budget.enter();
        Object exported = switch (value) {
            case Markup markup -> markup.text();
            case Undefined undefined -> null;
            case Map<?, ?> dict -> {
                Map<Object, Object> result = LinkedHashMap.newLinkedHashMap(dict.size());
                dict.forEach((key, item) -> result.put(exported(key), exported(item)));
                yield result;
            }
            case List<?> list -> exportedList(list);
            case Tuple tuple -> exportedList(tuple.items());
            case DictView view -> exportedList(view.items());
            case Generator generator -> exportedList(list(generator));
            case null, default -> value;
        };
        budget.leave();
        return exported;
    }

    private List<Object> exportedList(List<?> items) {
        List<Object> result = new ArrayList<>(items.size());
        items.forEach(item -> result.add(exported(item)));
        return result;
    }

    private Map<String, Object> exportedNames(Map<String, Object> named) {
        Map<String, Object> result = LinkedHashMap.newLinkedHashMap(named.size());
        named.forEach((name, value) -> result.put(name, exported(value)));
        return result;
    }
}
