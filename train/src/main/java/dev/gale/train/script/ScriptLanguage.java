package dev.gale.train.script;

import dev.gale.tensor.InputException;
import java.nio.file.Path;
import java.util.Locale;

/// Languages of scripts. Values go in and out as JSON, which each language reads and writes itself, so that no object of this
/// program is ever within a script's reach.
enum ScriptLanguage {
    JAVASCRIPT("js", "js-community", """
            (({parse, stringify}) => f => text => {
                const value = f(parse(text));
                return value === undefined ? null : stringify(value);
            })(JSON)
            """),
    PYTHON("python", "python-community", """
            def __gale_bridge():
                from json import dumps, loads
                def bridge(f):
                    def call(text):
                        return dumps(f(loads(text)))
                    return call
                return bridge
            __gale_bridge()
            """);

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

    /// Source of a function that makes one from text to text of one from value to value.
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
        return new InputException(("%s needs GraalVM's %s, which is not on the class path: put the jars of org.graalvm.polyglot:polyglot and "
                + "org.graalvm.polyglot:%s into a folder and set GALE_CLASSPATH to '<folder>/*'").formatted(file,
                this == PYTHON ? "Python" : "JavaScript", artifact), cause);
    }
}
