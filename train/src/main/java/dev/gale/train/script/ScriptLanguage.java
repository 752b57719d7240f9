package dev.gale.train.script;

import dev.gale.tensor.InputException;
import java.nio.file.Path;
import java.util.Locale;

/// Languages of scripts. Values go in and out as JSON, which each language reads and writes itself, so that no object of this
/// program is ever within a script's reach.
enum ScriptLanguage {
    JAVASCRIPT("js", "js-community", """
            (({parse, stringify}) => (f, script) => text => {
                const value = f(parse(text));
                return value === undefined ? null : stringify(value);
            })(JSON)
            """),
    PYTHON("python", "python-community", """
            def __gale_bridge():
                from json import dumps, loads
                def line(error, script):
                    at, trace = 0, error.__traceback__
                    while trace is not None:
                        if trace.tb_frame.f_code.co_filename.endswith(script): at = trace.tb_lineno
                        trace = trace.tb_next
                    return at
                def bridge(f, script):
                    def call(text):
                        try:
                            return dumps(f(loads(text)))
                        except Exception as error:
                            return '\\0%d %s: %s' % (line(error, script), type(error).__name__, error)
                    return call
                return bridge
            __gale_bridge()
            """);

    /// What a text of a failed call begins with, where exceptions do not know their line: then come line, blank and message.
    static final char FAILED = 0;

    private final String id;
    private final String artifact;
    private final String bridge;

    ScriptLanguage(String id, String artifact, String bridge) {
        this.id = id;
        this.artifact = artifact;
        this.bridge = bridge;
    }

    /// What GraalVM calls it.
    String id() {
        return id;
    }

    /// Source of a function that makes one from text to text of one from value to value and the name of its file.
    String bridge() {
        return bridge;
    }

    /// The language that the end of a name tells.
    ///
    /// Throws InputException when it is none of them.
    static ScriptLanguage of(Path file) {
        String name = file.toString().toLowerCase(Locale.ROOT);
        if (name.endsWith(".js") || name.endsWith(".mjs")) return JAVASCRIPT;
        if (name.endsWith(".py")) return PYTHON;
        throw new InputException("the script %s is neither .js nor .py: write it in JavaScript or Python".formatted(file));
    }

    /// What to do when it is not there.
    InputException missing(Path file, Throwable cause) {
        return new InputException(
                ("%s needs GraalVM's %s, which is not on the class path: put the jars of org.graalvm.polyglot:polyglot and "
                + "org.graalvm.polyglot:%s into the folder extra of Gale, or name them in GALE_CLASSPATH").formatted(file,
                this == PYTHON ? "Python" : "JavaScript", artifact), cause);
    }
}
