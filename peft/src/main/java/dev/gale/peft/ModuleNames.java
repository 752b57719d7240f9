package dev.gale.peft;

import dev.gale.tensor.InputException;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/// A choice of modules as PEFT writes it: a list of names, a regular expression, or `all-linear`.
///
/// @param names   module paths or their last parts, e.g. `q_proj`; empty when a pattern is given
/// @param pattern regular expression that the whole path must match, or `all-linear`; null when names are given
public record ModuleNames(List<String> names, String pattern) {
    private static final String EVERY_LINEAR = "all-linear";

    /// Every linear layer except the output head.
    public static final ModuleNames ALL_LINEAR = new ModuleNames(List.of(), EVERY_LINEAR);

    /// No module.
    static final ModuleNames NONE = new ModuleNames(List.of(), null);

    public ModuleNames {
        names = List.copyOf(names);
        if (pattern != null && !isAllLinear(pattern)) compile(pattern);
    }

    public static ModuleNames of(String... names) {
        return new ModuleNames(List.of(names), null);
    }

    /// Modules whose whole path matches a regular expression; `all-linear` is `ALL_LINEAR`.
    public static ModuleNames matching(String pattern) {
        return new ModuleNames(List.of(), pattern);
    }

    boolean isAllLinear() {
        return isAllLinear(pattern);
    }

    static boolean isAllLinear(String name) {
        return EVERY_LINEAR.equalsIgnoreCase(name);
    }

    boolean isEmpty() {
        return names.isEmpty() && (pattern == null || pattern.isEmpty());
    }

    /// True when the path is chosen, of any module for a pattern or list, of a linear layer for `all-linear`.
    boolean matches(String path) {
        if (pattern == null) return names.stream().anyMatch(name -> endsWith(path, name));
        return isAllLinear() || compile(pattern).matcher(path).matches();
    }

    static boolean endsWith(String path, String name) {
        return path.equals(name) || path.endsWith("." + name);
    }

    static Pattern compile(String regex) {
        try {
            return Pattern.compile(regex);
        } catch (PatternSyntaxException e) {
            throw new InputException("'%s' is not a regular expression (%s at position %d)"
                    .formatted(regex, e.getDescription(), e.getIndex()), e);
        }
    }

    @Override
    public String toString() {
        return pattern == null ? names.toString() : "'" + pattern + "'";
    }
}
