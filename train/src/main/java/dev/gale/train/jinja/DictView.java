package dev.gale.train.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// What `keys()`, `values()` and `items()` of a dict give. Templates cannot change a dict, so a copy does.
record DictView(String type, List<Object> items) {
    static DictView keys(Map<?, ?> dict) {
        return new DictView("dict_keys", new ArrayList<>(dict.keySet()));
    }

    static DictView values(Map<?, ?> dict) {
        return new DictView("dict_values", new ArrayList<>(dict.values()));
    }

    static DictView items(Map<?, ?> dict) {
        return new DictView("dict_items", entries(dict));
    }

    /// The entries of a dict as tuples.
    static List<Object> entries(Map<?, ?> dict) {
        List<Object> entries = new ArrayList<>(dict.size());
        dict.forEach((key, value) -> entries.add(Tuple.of(key, value)));
        return entries;
    }
}
