package dev.gale.train.script;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;

/// A function that people wrote in JavaScript or Python. It sees its argument and nothing else: no file, network, process,
/// thread, environment or class of this program; and it has limits of time and memory. It is run by GraalVM's polyglot
/// libraries, which are not part of Gale: people put them on the class path who want it.
public interface ScriptFunction extends AutoCloseable {

    /// Calls it with a value made of what JSON has (null, Boolean, Number, String, List, Map), and returns such a value.
    ///
    /// @param about what the argument is, for messages, e.g. `data.jsonl, line 7`
    ///
    /// Throws InputException with the script's line when it fails, takes too long or too much memory, or touches what it must
    /// not.
    Object call(Object argument, String about);

    @Override
    void close();

    /// Reads a script that defines a function of this name, or whose last expression is a function.
    ///
    /// Throws InputException when the file is missing or malformed or has no such function, or its language cannot be run.
    static ScriptFunction load(Path file, String name) {
        return load(file, name, name.equals("compute_metrics") ? ScriptLimits.EVALUATION : ScriptLimits.ROW);
    }

    /// As above, with limits.
    private static ScriptFunction load(Path file, String name, ScriptLimits limits) {
        return load(file, name, limits, ScriptFunction.class.getClassLoader());
    }

    /// @param loader where the libraries are looked for
    static ScriptFunction load(Path file, String name, ScriptLimits limits, ClassLoader loader) {
        ScriptLanguage language = ScriptLanguage.of(file);
        String source;
        try {
            source = Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new InputException("the script %s is not UTF-8 text; save it as UTF-8".formatted(file), e);
        } catch (IOException e) {
            throw new InputException("the script %s cannot be read: give the path of a .js or .py file".formatted(file), e);
        }
        try {
            Class.forName("org.graalvm.polyglot.Context", false, loader);
        } catch (ClassNotFoundException e) {
            throw language.missing(file, e);
        }
        return new PolyglotFunction(file, source, name, language, limits);
    }
}
