package dev.gale.train.jinja;

import dev.gale.train.jinja.Arguments.Bound;
import dev.gale.train.jinja.Filters.Filter;
import dev.gale.train.jinja.TemplateException.Kind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Filters on lists and other iterables.
final class SequenceFilters {
    private SequenceFilters() {}

    static void define(Map<String, Filter> filters) {
        filters.put("length", (f, input, arguments) -> (long) f.values.length(input));
        filters.put("count", (f, input, arguments) -> (long) f.values.length(input));
        filters.put("list", (f, input, arguments) -> f.values.list(input));
        filters.put("first", SequenceFilters::first);
        filters.put("last", SequenceFilters::last);
        filters.put("reverse", SequenceFilters::reverse);
        filters.put("sort", SequenceFilters::sort);
        filters.put("unique", SequenceFilters::unique);
        filters.put("min", (f, input, arguments) -> extreme(f, input, arguments.bind("do_min", 0, EXTREME), "<"));
        filters.put("max", (f, input, arguments) -> extreme(f, input, arguments.bind("do_max", 0, EXTREME), ">"));
        filters.put("sum", SequenceFilters::sum);
        filters.put("batch", SequenceFilters::batch);
        filters.put("slice", SequenceFilters::slice);
        filters.put("groupby", SequenceFilters::groupBy);
        filters.put("items", SequenceFilters::items);
        filters.put("dictsort", SequenceFilters::sortDict);
    }

    private static final String[] EXTREME = {"case_sensitive", "attribute"};

    private static Object first(Filters f, Object input, Arguments arguments) {
        arguments.bind("do_first", 0);
        Iterator<Object> items = f.values.iterate(input);
        return items.hasNext() ? items.next() : Undefined.because("No first item, sequence was empty.");
    }

    private static Object last(Filters f, Object input, Arguments arguments) {
        arguments.bind("do_last", 0);
        requireReversible(input);
        List<Object> items = f.values.list(input);
        return items.isEmpty() ? Undefined.because("No last item, sequence was empty.") : items.getLast();
    }

    private static void requireReversible(Object input) {
        Values.requireDefined(input);
        if (!Values.isIterable(input) || input instanceof Generator) {
            throw TemplateException.type("'%s' object is not reversible", Types.name(input));
        }
    }

    private static Object reverse(Filters f, Object input, Arguments arguments) {
        arguments.bind("do_reverse", 0);
        if (input instanceof String text) {
            return new StringBuilder(text).reverse().toString();
        }
        if (input instanceof Markup markup) {
            return new Markup(new StringBuilder(markup.text()).reverse().toString());
        }
        if (!Values.isIterable(input)) {
            throw new TemplateException(Kind.ARGUMENT, "argument must be iterable");
        }
        List<Object> items = f.values.list(input);
        Collections.reverse(items);
        return input instanceof Generator ? items : new Generator(items::iterator);
    }

    private static Object sort(Filters f, Object input, Arguments arguments) {
        Bound bound = arguments.bind("do_sort", 0, "reverse", "case_sensitive", "attribute");
        boolean caseSensitive = bound.truth(1, false);
        List<Lookup> keys = new ArrayList<>();
        if (bound.get(2) instanceof String paths) {
            for (String path : paths.split(",", -1)) {
                keys.add(Lookup.of(path, f).ignoringCase(caseSensitive));
            }
        } else {
            keys.add(Lookup.of(bound.get(2), f).ignoringCase(caseSensitive));
        }
        return f.values.sorted(f.values.list(input), item -> {
            List<Object> key = new ArrayList<>(keys.size());
            keys.forEach(lookup -> key.add(lookup.in(item)));
            return key;
        }, bound.truth(0, false));
    }

    private static Object unique(Filters f, Object input, Arguments arguments) {
        Bound bound = arguments.bind("do_unique", 0, "case_sensitive", "attribute");
        Lookup key = Lookup.of(bound.get(1), f).ignoringCase(bound.truth(0, false));
        Set<Object> seen = new HashSet<>();
        return Generator.selecting(() -> f.values.iterate(input), item -> seen.add(f.values.hashKey(key.in(item))));
    }

    private static Object extreme(Filters f, Object input, Bound bound, String better) {
        Iterator<Object> items = f.values.iterate(input);
        if (!items.hasNext()) {
            return Undefined.because("No aggregated item, sequence was empty.");
        }
        Lookup key = Lookup.of(bound.get(1), f).ignoringCase(bound.truth(0, false));
        Object best = items.next();
        Object bestKey = key.in(best);
        while (items.hasNext()) {
            Object item = items.next();
            Object itemKey = key.in(item);
            if (f.values.ordered(better, itemKey, bestKey)) {
                best = item;
                bestKey = itemKey;
            }
        }
        return best;
    }

    private static Object sum(Filters f, Object input, Arguments arguments) {
        Bound bound = arguments.bind("do_sum", 0, "attribute", "start");
        Lookup attribute = Lookup.of(bound.get(0), f);
        Object sum = bound.get(1, 0L);
        if (Types.isText(sum)) {
            throw TemplateException.type("sum() can't sum strings [use ''.join(seq) instead]");
        }
        for (Iterator<Object> items = f.values.iterate(input); items.hasNext();) {
            sum = f.operators.binary("+", sum, attribute.in(items.next()));
        }
        return sum;
    }

    private static Object batch(Filters f, Object input, Arguments arguments) {
        Bound bound = arguments.bind("do_batch", 1, "linecount", "fill_with");
        int size = bound.integer(0, 0);
        return new Generator(() -> {
            List<Object> batches = new ArrayList<>();
            List<Object> batch = new ArrayList<>();
            for (Iterator<Object> items = f.values.iterate(input); items.hasNext();) {
                if (batch.size() == size) {
                    batches.add(batch);
                    batch = new ArrayList<>();
                }
                batch.add(items.next());
            }
            if (!batch.isEmpty()) {
                f.values.budget().steps(Math.max(0, bound.has(1) ? size - batch.size() : 0));
                while (bound.has(1) && batch.size() < size) {
                    batch.add(bound.get(1));
                }
                batches.add(batch);
            }
            return batches.iterator();
        });
    }

    private static Object slice(Filters f, Object input, Arguments arguments) {
        Bound bound = arguments.bind("do_slice", 1, "slices", "fill_with");
        int count = bound.integer(0, 0);
        return new Generator(() -> {
            List<Object> items = f.values.list(input);
            if (count == 0) {
                throw new TemplateException(Kind.ZERO_DIVISION, "integer division or modulo by zero");
            }
            f.values.budget().steps(Math.max(0, count));
            List<Object> slices = new ArrayList<>();
            int longer = Math.floorMod(items.size(), count);
            int start = 0;
            for (int i = 0; i < count; i++) {
                int end = start + items.size() / count + (i < longer ? 1 : 0);
                List<Object> slice = new ArrayList<>(items.subList(start, end));
                if (bound.has(1) && i >= longer) {
                    slice.add(bound.get(1));
                }
                slices.add(slice);
                start = end;
            }
            return slices.iterator();
        });
    }

    private static Object groupBy(Filters f, Object input, Arguments arguments) {
        Bound bound = arguments.bind("do_groupby", 1, "attribute", "default", "case_sensitive");
        Lookup attribute = Lookup.of(bound.get(0), bound.get(1), f);
        Lookup key = attribute.ignoringCase(bound.truth(2, false));
        List<Object> groups = new ArrayList<>();
        List<Object> group = null;
        Object groupKey = null;
        for (Object item : f.values.sorted(f.values.list(input), key::in, false)) {
            if (group == null || !f.values.equal(groupKey, key.in(item))) {
                group = new ArrayList<>();
                groupKey = key.in(item);
                groups.add(new Tuple(Arrays.asList(attribute.in(item), group), List.of("grouper", "list")));
            }
            group.add(item);
        }
        return groups;
    }

    private static Object items(Filters f, Object input, Arguments arguments) {
        arguments.bind("do_items", 0);
        return new Generator(() -> {
            if (input instanceof Undefined) {
                return Collections.emptyIterator();
            }
            if (!(input instanceof Map<?, ?> dict)) {
                throw TemplateException.type("Can only get item pairs from a mapping.");
            }
            return f.values.iterate(DictView.items(dict));
        });
    }

    private static Object sortDict(Filters f, Object input, Arguments arguments) {
        Bound bound = arguments.bind("do_dictsort", 0, "case_sensitive", "by", "reverse");
        String by = f.values.string(bound.get(1, "key"));
        if (!by.equals("key") && !by.equals("value")) {
            throw new TemplateException(Kind.ARGUMENT, "You can only sort by either \"key\" or \"value\"");
        }
        Values.requireDefined(input);
        if (!(input instanceof Map<?, ?> dict)) {
            throw new TemplateException(Kind.ATTRIBUTE, "'" + Types.name(input) + "' object has no attribute 'items'");
        }
        Lookup key = Lookup.of(by.equals("key") ? 0L : 1L, f).ignoringCase(bound.truth(0, false));
        return f.values.sorted(f.values.list(DictView.items(dict)), key::in, bound.truth(2, false));
    }
}
