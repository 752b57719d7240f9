package dev.gale.train.jinja;

/// A template that cannot be parsed or rendered. The message is the one that Python's jinja2 gives, so a template's own
/// `raise_exception('...')` arrives here unchanged.
public final class TemplateException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final Kind kind;
    private int line;

    /// What went wrong, named after the exception that jinja2 or Python raises in its place.
    public enum Kind {
        SYNTAX("TemplateSyntaxError"), ASSERTION("TemplateAssertionError"), RAISED("TemplateError"),
        RUNTIME("TemplateRuntimeError"), UNDEFINED("UndefinedError"), SECURITY("SecurityError"),
        ARGUMENT("FilterArgumentError"), TYPE("TypeError"), VALUE("ValueError"), ATTRIBUTE("AttributeError"),
        KEY("KeyError"), INDEX("IndexError"), OVERFLOW("OverflowError"), ZERO_DIVISION("ZeroDivisionError"),
        /// The rendering was stopped because it took too many steps, wrote too much or nested too deeply.
        LIMIT("LimitError");

        private final String pythonName;

        Kind(String pythonName) {
            this.pythonName = pythonName;
        }

        /// The name of Python's exception, for example `TypeError`.
        public String pythonName() {
            return pythonName;
        }
    }

    TemplateException(Kind kind, String message) {
        super(message);
        this.kind = kind;
    }

    static TemplateException syntax(int line, String message) {
        return new TemplateException(Kind.SYNTAX, message).at(line);
    }

    static TemplateException type(String format, Object... arguments) {
        return new TemplateException(Kind.TYPE, format.formatted(arguments));
    }

    static TemplateException value(String format, Object... arguments) {
        return new TemplateException(Kind.VALUE, format.formatted(arguments));
    }

    static TemplateException limit(String format, Object... arguments) {
        return new TemplateException(Kind.LIMIT, format.formatted(arguments));
    }

    /// The innermost line wins: outer statements call this again while the exception passes through them.
    TemplateException at(int line) {
        if (this.line == 0) {
            this.line = line;
        }
        return this;
    }

    /// What kind of failure this is.
    public Kind kind() {
        return kind;
    }

    /// The line of the template, counted from 1; 0 if unknown.
    public int line() {
        return line;
    }

    @Override
    public String toString() {
        return kind.pythonName() + (line > 0 ? " in line " + line + " of the template: " : ": ") + getMessage();
    }
}
