package dev.gale.nn;

import dev.gale.tensor.InputException;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/// Modules of a quantized model that stay dense, by the rule of Transformers' `llm_int8_skip_modules`: a name chooses each
/// module whose path it matches from the beginning as a regular expression, and each whose path ends in it.
/// Source: Transformers, `quantizers/quantizers_utils.py`, `should_convert_module`.
///
/// @param names perhaps none
public record SkipModules(List<String> names) {
    /// Skips nothing.
    public static final SkipModules NONE = new SkipModules(List.of());

    private static final String KEY = "llm_int8_skip_modules";

    public SkipModules {
        names = List.copyOf(names);
        names.forEach(SkipModules::compile);
    }

    /// Whether the module at a path, e.g. `model.layers.0.mlp.up_proj`, stays dense.
    public boolean skips(String path) {
        return names.stream().anyMatch(name -> chooses(name, path));
    }

    private static boolean chooses(String name, String path) {
        return path.endsWith(name) || compile(name).matcher(path).lookingAt();
    }

    /// Throws: InputException when a name chooses none of the modules, and none inside one.
    void requireKnown(Collection<String> paths) {
        for (String name : names) {
            if (paths.stream().anyMatch(path -> chooses(name, path))) continue;
            Set<String> last = new LinkedHashSet<>();
            paths.forEach(path -> last.add(path.substring(path.lastIndexOf('.') + 1)));
            throw InputException.unknown("module in " + KEY, name, last);
        }
    }

    private static Pattern compile(String name) {
        try {
            return Pattern.compile(name);
        } catch (PatternSyntaxException e) {
            throw new InputException("%s: '%s' is neither the name of a module nor a regular expression (%s at position %d)"
                    .formatted(KEY, name, e.getDescription(), e.getIndex()), e);
        }
    }
}
