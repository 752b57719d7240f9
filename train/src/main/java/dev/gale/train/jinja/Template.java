package dev.gale.train.jinja;

import dev.gale.train.jinja.Stmt.Body;
import java.util.Map;
import java.util.Set;

/// A chat template, rendered as Transformers renders it: jinja2 in its immutable sandbox, with `break`, `continue`,
/// `{% generation %}`, `raise_exception`, `strftime_now` and a `tojson` that escapes no HTML.
///
/// A template computes with values only: it reaches no Java object, file or process. Its steps, the length of its
/// texts and its nesting are bounded, so every rendering ends. A parsed template may be rendered by many threads.
public final class Template {
    private final Body body;
    private final Map<Body, Set<String>> unset;
    private final TemplateOptions options;

    private Template(Body body, Map<Body, Set<String>> unset, TemplateOptions options) {
        this.body = body;
        this.unset = unset;
        this.options = options;
    }

    /// Parses a template with the settings of Transformers.
    ///
    /// **Throws** [TemplateException] with the line, if the template is malformed.
    public static Template parse(String source) {
        return parse(source, TemplateOptions.TRANSFORMERS);
    }

    /// Parses a template with other settings.
    ///
    /// **Throws** [TemplateException] with the line, if the template is malformed.
    public static Template parse(String source, TemplateOptions options) {
        return guarded(() -> {
            Body body = Parser.parse(source, options);
            return new Template(body, Analysis.of(body), options);
        });
    }

    /// Renders the template. The context holds the template's variables: null, Boolean, numbers, String, lists and
    /// arrays, maps (in their own order) and [TemplateFunction]; it may replace functions such as `strftime_now`.
    ///
    /// **Throws** [TemplateException] if the template raises an exception, fails in any other way, or exceeds a limit;
    /// IllegalArgumentException if the context holds a value of another type.
    public Rendering render(Map<String, ?> context) {
        return guarded(() -> {
            Values values = new Values(new Budget(options));
            Map<String, Object> variables = Globals.of(values, options.clock());
            context.forEach((name, value) -> variables.put(name, values.imported(value)));
            return new Interpreter(unset, values).render(body, Scope.outermost(variables));
        });
    }

    /// Depth is bounded, but what a thread's stack can hold is not ours to decide.
    private static <T> T guarded(java.util.function.Supplier<T> work) {
        try {
            return work.get();
        } catch (StackOverflowError tooDeep) {
            throw TemplateException.limit("the template or its data nests too deeply for this thread's stack");
        }
    }
}
