package dev.gale.train.script;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.net.URLClassLoader;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What scripts can do, and what they are kept from. Runs JavaScript; Python goes the same way and needs libraries of 115 MB.
@Timeout(120)
class ScriptFunctionTest {
    private static final ScriptLimits SHORT = new ScriptLimits(Duration.ofSeconds(60), Duration.ofSeconds(2),
            64L << 20, 256L << 20);

    @TempDir
    private Path folder;

    private ScriptFunction script(String source) throws IOException {
        return script(source, SHORT);
    }

    private ScriptFunction script(String source, ScriptLimits limits) throws IOException {
        Path file = folder.resolve("format.js");
        Files.writeString(file, source);
        return ScriptFunction.load(file, "f", limits, ScriptFunctionTest.class.getClassLoader());
    }

    @Test
    void valuesGoInAndOut() throws IOException {
        try (ScriptFunction f = script("function f(row) { return {...row, n: row.n + 1, keys: Object.keys(row)} }")) {
            Map<String, Object> row = Map.of("n", 1, "t", List.of("ä\uD83D\uDE00", true));
            Object result = f.call(row, "x");
            assertEquals(2, ((Map<?, ?>) result).get("n"));
            assertEquals(List.of("ä\uD83D\uDE00", true), ((Map<?, ?>) result).get("t"));
        }
        for (String source : List.of("row => row.a", "const f = row => row.a", "let f; f = (row) => { return row.a }")) {
            try (ScriptFunction f = script(source)) {
                assertEquals("x", f.call(Map.of("a", "x"), "x"));
                assertEquals(null, f.call(Map.of(), "x"));
            }
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "throw new TypeError('bad')|line 3: TypeError: bad, for row 7",
        "return row.a.b.c|line 3: TypeError",
        "throw 'text'|line 3: text, for row 7",
        "while (true) {}|line 3: takes more than 2 s for one call, for row 7",
        "try { while (true) {} } finally { while (true) {} }|line 3: takes more than 2 s",
        "let s = 'xy'; while (true) s = (s + s).toUpperCase()|line 3:",
        "return f(row) + 1|RangeError: Maximum call stack",
        "return load('/etc/passwd')|line 3: Error: Operation is not allowed for: /etc/passwd",
        "return read('/etc/passwd')|line 3: ReferenceError: read is not defined",
        "return require('fs')|line 3: ReferenceError: require is not defined",
        "return fetch('http://127.0.0.1')|line 3: ReferenceError: fetch is not defined",
        "return Java.type('java.lang.System')|line 3: ReferenceError: Java is not defined",
        "return Polyglot.eval('js', '1')|line 3: ReferenceError: Polyglot is not defined",
        "return process.exit(3)|line 3: ReferenceError: process is not defined"})
    void isEndedWithOneSentence(String body, String words) throws IOException {
        try (ScriptFunction f = script("function f(row) {\n\n" + body + "\n}")) {
            InputException e = assertThrows(InputException.class, () -> f.call(Map.of(), "row 7"));
            assertTrue(e.getMessage().contains(words), e.getMessage());
            assertTrue(e.getMessage().contains("format.js"), e.getMessage());
            assertEquals(1, e.getMessage().lines().count());
        }
    }

    @Test
    void memoryWithoutEndIsRefused() throws IOException {
        ScriptLimits patient = new ScriptLimits(Duration.ofSeconds(60), Duration.ofSeconds(60), 64L << 20, 256L << 20);
        for (String body : List.of("let all = []; while (true) all.push(new Array(1000).fill(7))",
                "return new Array(1e9).fill(1)", "let s = 'x'; while (true) s += s.toUpperCase() + row")) {
            try (ScriptFunction f = script("function f(row) {\n\n" + body + "\n}", patient)) {
                InputException e = assertThrows(InputException.class, () -> f.call("r", "row 7"));
                assertTrue(e.getMessage()
                        .matches(".*format.js, line 3: (takes more than 64 MB of memory in one call|.*length.*), for row 7"),
                        e.getMessage());
            }
        }
    }

    @Test
    void modulesCannotBeImported() throws IOException {
        Files.writeString(folder.resolve("other.mjs"), "export const a = 1");
        assertThrows(InputException.class, () -> {
            try (ScriptFunction f = script("import {a} from './other.mjs'; function f() { return a }")) {
                f.call(1, "x");
            }
        });
        try (ScriptFunction f = script("function f() { return quit(3) }")) {
            assertThrows(InputException.class, () -> f.call(1, "x"));
        }
    }

    @Test
    void scriptsWithoutAFunctionAreNamed() throws IOException {
        for (String[] wrong : new String[][] {{"let x = 1", "defines no function f"}, {"function f( {", "line 1: SyntaxError"},
            {"\n\nthrow new Error('at once')", "line 3: Error: at once, when it is read"}}) {
            InputException e = assertThrows(InputException.class, () -> script(wrong[0]).close());
            assertTrue(e.getMessage().contains(wrong[1]), e.getMessage());
        }
        assertThrows(InputException.class, () -> ScriptFunction.load(folder.resolve("none.js"), "f"));
        InputException other = assertThrows(InputException.class, () -> ScriptFunction.load(folder.resolve("x.rb"), "f"));
        assertTrue(other.getMessage().contains("neither .js nor .py"), other.getMessage());
    }

    @Test
    void readingAScriptHasItsLimitToo() {
        ScriptLimits hasty = new ScriptLimits(Duration.ofSeconds(20), Duration.ofSeconds(1), 64L << 20, 100L << 20);
        InputException e = assertThrows(InputException.class,
                () -> script("let a = [];\nwhile (true) a.push(new Array(1000).fill(1))", hasty).close());
        assertTrue(e.getMessage().contains("line 2: takes more than 100 MB"), e.getMessage());
    }

    @Test
    void whatAScriptKeepsIsBounded() throws IOException {
        try (ScriptFunction f =
                script("let kept = [];\nfunction f() { kept.push(new Array(100000).fill(1.5)); return kept.length }")) {
            int most = 0;
            int last = 0;
            boolean fresh = false;
            for (int i = 0; i < 600; i++) {
                int now = (int) f.call(1, "x");
                fresh |= now < last;
                most = Math.max(most, now);
                last = now;
            }
            assertTrue(fresh && most < 600, "kept " + most);
        }
    }

    @Test
    void withoutTheLibrariesItSaysWhatToDo() throws IOException {
        Path file = folder.resolve("format.js");
        Files.writeString(file, "x => x");
        URL[] own = Arrays.stream(new Class<?>[] {ScriptFunction.class})
                .map(type -> type.getProtectionDomain().getCodeSource().getLocation())
                .toArray(URL[]::new);
        try (URLClassLoader bare = new URLClassLoader(own, ClassLoader.getPlatformClassLoader())) {
            InputException e = assertThrows(InputException.class, () -> ScriptFunction.load(file, "f", SHORT, bare));
            assertTrue(e.getMessage().contains("js-community") && e.getMessage().contains("GALE_CLASSPATH"), e.getMessage());
        }
        Files.writeString(folder.resolve("m.py"), "def f(x):\n  return x\n");
        InputException python = assertThrows(InputException.class, () -> ScriptFunction.load(folder.resolve("m.py"), "f"));
        assertTrue(python.getMessage().contains("python-community"), python.getMessage());
    }

    @Test
    void whatJsonDoesNotHaveIsNothing() throws IOException {
        try (ScriptFunction f = script("x => x === 1 ? NaN : x === 2 ? (() => 1) : new Map()")) {
            assertEquals(null, f.call(1, "x"));
            assertEquals(null, f.call(2, "x"));
            assertEquals(Map.of(), f.call(3, "x"));
        }
    }
}
