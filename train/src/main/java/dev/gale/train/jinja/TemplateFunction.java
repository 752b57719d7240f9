package dev.gale.train.jinja;

import java.util.List;
import java.util.Map;

/// A function that a template can call when it is put into the rendering context.
@FunctionalInterface
public interface TemplateFunction {
    /// Calls the function; values are those of [Template#render].
    ///
    /// @param positional arguments without a name, in order
    /// @param named      keyword arguments
    Object call(List<Object> positional, Map<String, Object> named);
}
