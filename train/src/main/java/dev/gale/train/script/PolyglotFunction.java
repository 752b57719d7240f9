package dev.gale.train.script;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.tensor.InputException;
import java.io.ByteArrayInputStream;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.StreamSupport;
import org.graalvm.polyglot.Context;
import org.graalvm.polyglot.Engine;
import org.graalvm.polyglot.EnvironmentAccess;
import org.graalvm.polyglot.HostAccess;
import org.graalvm.polyglot.PolyglotAccess;
import org.graalvm.polyglot.PolyglotException;
import org.graalvm.polyglot.Source;
import org.graalvm.polyglot.SourceSection;
import org.graalvm.polyglot.Value;
import org.graalvm.polyglot.io.IOAccess;

/// A script in a context of GraalVM that allows nothing. The only class that needs its libraries.
final class PolyglotFunction implements ScriptFunction {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path file;
    private final Source source;
    private final String name;
    private final ScriptLanguage language;
    private final ScriptLimits limits;
    private final Engine engine;
    private final ScriptWatch watch = new ScriptWatch();
    private Context context;
    private Value function;
    private long bytes;

    PolyglotFunction(Path file, String text, String name, ScriptLanguage language, ScriptLimits limits) {
        this.file = file;
        this.name = name;
        this.language = language;
        this.limits = limits;
        this.source = Source.newBuilder(language.id(), text, file.getFileName().toString()).buildLiteral();
        this.engine = engine();
        try {
            open();
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    private Engine engine() {
        Engine made;
        try {
            made = Engine.newBuilder().option("engine.WarnInterpreterOnly", "false").build();
        } catch (IllegalStateException | IllegalArgumentException e) {
            throw language.missing(file, e);
        }
        if (made.getLanguages().containsKey(language.id())) return made;
        made.close();
        throw language.missing(file, null);
    }

    private void open() {
        context = Context.newBuilder(language.id()).engine(engine).allowAllAccess(false).allowHostAccess(HostAccess.NONE)
                .allowIO(IOAccess.NONE).allowCreateProcess(false).allowCreateThread(false).allowNativeAccess(false)
                .allowEnvironmentAccess(EnvironmentAccess.NONE).allowPolyglotAccess(PolyglotAccess.NONE)
                .in(new ByteArrayInputStream(new byte[0])).out(System.err).err(System.err).build();
        bytes = 0;
        Context opened = context;
        try (ScriptWatch.Call call = watch.begin(limits.start(), limits.contextBytes(), () -> opened.close(true))) {
            try {
                Value bridge = context.eval(Source.newBuilder(language.id(), language.bridge(), "gale").buildLiteral());
                Value last = context.eval(source);
                Value bindings = context.getBindings(language.id());
                Value found = bindings.hasMember(name) ? bindings.getMember(name) : last;
                if (!found.canExecute()) {
                    throw new InputException("the script %s defines no function %s: write e.g. %s".formatted(file, name,
                            language == ScriptLanguage.PYTHON ? "def %s(value): ...".formatted(name)
                                    : "function %s(value) { ... }".formatted(name)));
                }
                function = bridge.execute(found, source.getName());
            } catch (PolyglotException e) {
                throw failure(e, call.reason(), "when it is read");
            }
        }
    }

    @Override
    public Object call(Object argument, String about) {
        if (bytes > limits.contextBytes()) {
            context.close(true);
            open();
        }
        Context opened = context;
        String result;
        try (ScriptWatch.Call call = watch.begin(limits.call(), limits.callBytes(), () -> opened.close(true))) {
            try {
                Value value = function.execute(JSON.writeValueAsString(argument));
                result = value.isNull() ? "null" : value.asString();
                bytes += call.bytes();
            } catch (PolyglotException e) {
                throw failure(e, call.reason(), "for " + about);
            } catch (JsonProcessingException e) {
                throw new IllegalStateException(e);
            }
        }
        if (!result.isEmpty() && result.charAt(0) == ScriptLanguage.FAILED) throw failure(result.substring(1), about);
        try {
            return JSON.readValue(result, Object.class);
        } catch (JsonProcessingException e) {
            throw new InputException("%s: %s returns what JSON does not have for %s (%s)".formatted(file, name, about,
                    e.getOriginalMessage().lines().findFirst().orElse("")), e);
        }
    }

    /// @param failed line and message
    private InputException failure(String failed, String about) {
        int blank = failed.indexOf(' ');
        String line = failed.startsWith("0 ") ? "" : ", line " + failed.substring(0, blank);
        return new InputException("%s%s: %s, for %s".formatted(file, line, failed.substring(blank + 1).lines().findFirst()
                .orElse("fails"), about));
    }

    private InputException failure(PolyglotException e, String reason, String about) {
        String line = line(e);
        if (reason != null) return new InputException("%s%s: %s, %s".formatted(file, line, reason, about), e);
        if (e.isResourceExhausted()) return new InputException("%s%s: takes too much memory, %s".formatted(file, line, about),
                e);
        String message = String.valueOf(e.getMessage()).lines().findFirst().orElse("").strip();
        return new InputException("%s%s: %s, %s".formatted(file, line, message.isEmpty() ? "fails" : message, about), e);
    }

    /// `, line 7`, of the innermost place that is in the script.
    private String line(PolyglotException e) {
        if (e.isSyntaxError() && isOfScript(e.getSourceLocation())) return ", line " + e.getSourceLocation().getStartLine();
        return StreamSupport.stream(e.getPolyglotStackTrace().spliterator(), false)
                .filter(PolyglotException.StackFrame::isGuestFrame)
                .map(PolyglotException.StackFrame::getSourceLocation).filter(this::isOfScript).findFirst()
                .or(() -> Optional.ofNullable(e.getSourceLocation()).filter(this::isOfScript))
                .map(PolyglotFunction::place).orElse("");
    }

    /// Some languages know only the function that a call is in.
    private static String place(SourceSection section) {
        boolean whole = section.getEndLine() > section.getStartLine();
        return (whole ? ", from line %d on" : ", line %d").formatted(section.getStartLine());
    }

    private boolean isOfScript(SourceSection section) {
        return section != null && section.getSource().equals(source);
    }

    @Override
    public void close() {
        watch.close();
        if (context != null) context.close(true);
        engine.close(true);
    }
}
