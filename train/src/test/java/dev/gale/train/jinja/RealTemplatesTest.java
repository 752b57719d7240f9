package dev.gale.train.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.train.testing.RealInputs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// Agreement with Python on the chat templates of well-known models. The inputs are not part of the project: the tests
/// look for them under `GALE_REAL_INPUTS` or `build/real-inputs` and are skipped without them.
class RealTemplatesTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final TemplateOptions OPTIONS = TemplateOptions.TRANSFORMERS.withClock(
            Clock.fixed(Instant.parse("2025-07-10T12:00:00Z"), ZoneOffset.UTC));

    /// Cases that cannot agree with what is recorded of Python, and why.
    private static final Map<String, String> MINJA_ONLY = Map.of(
            "{% generation %}Foo{% endgeneration %}",
            "recorded without the tag's extension, which Transformers has: the text is what minja expects, too",
            "{% generation %}", "recorded without the tag's extension: with it, the block is not ended");

    private static Path inputs() {
        return RealInputs.path("chat-templates");
    }

    private static JsonNode read(Path file) throws IOException {
        return JSON.readTree(file.toFile());
    }

    private static Map<String, Object> context(JsonNode node) {
        return node.isMissingNode() ? new LinkedHashMap<>()
                : JSON.convertValue(node, new TypeReference<LinkedHashMap<String, Object>>() {});
    }

    private static String outcome(String template, Map<String, Object> context, TemplateOptions options) {
        try {
            return Template.parse(template, options).render(context).text();
        } catch (TemplateException failure) {
            return "EXC " + failure.kind().pythonName() + ": " + failure.getMessage();
        }
    }

    private static String difference(String name, String expected, String actual) {
        return name + "\n  expected " + Repr.quote(expected) + "\n  rendered " + Repr.quote(actual);
    }

    private static void assertNoneOf(List<String> differences) {
        assertEquals("", String.join("\n", differences), differences.size() + " cases differ");
    }

    @Test
    void chatTemplatesAgreeWithTransformers() throws IOException {
        JsonNode goldens = read(inputs().resolve("goldens.json"));
        List<String> differences = new ArrayList<>();
        int spans = 0;
        int errors = 0;
        for (JsonNode one : goldens.get("cases")) {
            String name = one.get("template").asText() + " on " + one.get("context").asText();
            String source = Files.readString(inputs().resolve("templates").resolve(one.get("template").asText()));
            Map<String, Object> context = context(goldens.get("contexts").get(one.get("context").asText()));
            // Transformers passes these two whether the caller has them or not
            context.putIfAbsent("tools", null);
            context.putIfAbsent("documents", null);
            String expected = one.has("error") ? "EXC " + one.get("error").asText() : one.get("expected").asText();
            String actual = outcome(source, context, OPTIONS);
            if (!expected.equals(actual)) {
                differences.add(difference(name, expected, actual));
            }
            errors += one.has("error") ? 1 : 0;
            if (one.has("generation_spans")) {
                spans++;
                List<Span> rendered = inCodePoints(Template.parse(source, OPTIONS).render(context));
                if (!spans(one.get("generation_spans")).equals(rendered)) {
                    differences.add(name + "\n  spans " + one.get("generation_spans") + "\n  rendered " + rendered);
                }
            }
        }
        assertEquals(528, goldens.get("cases").size());
        assertEquals(106, spans);
        assertEquals(97, errors);
        assertNoneOf(differences);
    }

    private static List<Span> spans(JsonNode node) {
        List<Span> spans = new ArrayList<>();
        node.forEach(span -> spans.add(new Span(span.get(0).asInt(), span.get(1).asInt())));
        return spans;
    }

    /// Python counts code points.
    private static List<Span> inCodePoints(Rendering rendering) {
        return rendering.generation().stream().map(span -> new Span(rendering.text().codePointCount(0, span.start()),
                rendering.text().codePointCount(0, span.end()))).toList();
    }

    @Test
    void huggingFaceTemplatesAgreeWithPython() throws IOException {
        JsonNode groups = read(inputs().resolve("hfjs_jinja_e2e.json"));
        List<String> differences = new ArrayList<>();
        int cases = 0;
        for (String group : List.of("default_templates", "custom_templates")) {
            for (Map.Entry<String, JsonNode> entry : groups.get(group).properties()) {
                JsonNode one = entry.getValue();
                JsonNode python = one.get("python_jinja2_output");
                String expected = (python == null ? one.get("target") : python).asText();
                String actual = outcome(one.get("chat_template").asText(), context(one.path("data")), OPTIONS);
                cases++;
                if (!expected.equals(actual)) {
                    differences.add(difference(entry.getKey(), expected, actual));
                }
            }
        }
        assertEquals(53, cases);
        assertNoneOf(differences);
    }

    /// The group `formatting` holds a template and its re-formatted source; both must render the same.
    @Test
    void formattedTemplateRendersTheSame() throws IOException {
        JsonNode groups = read(inputs().resolve("hfjs_jinja_e2e.json"));
        Map<String, Object> context = Map.of("add_generation_prompt", true, "messages", List.of(
                Map.of("role", "user", "content",
                        List.of(Map.of("type", "image"), Map.of("type", "text", "text", "Hi "))),
                Map.of("role", "assistant", "content", List.of(Map.of("type", "text", "text", "Yes")))));
        for (JsonNode one : groups.get("formatting")) {
            assertEquals(outcome(one.get("chat_template").asText(), context, OPTIONS),
                    outcome(one.get("target").asText(), context, OPTIONS));
            assertTrue(outcome(one.get("target").asText(), context, OPTIONS).contains("Assistant: Yes"));
        }
    }

    @Test
    void syntaxCasesAgreeWithPython() throws IOException {
        JsonNode cases = read(inputs().resolve("minja_syntax.json"));
        List<String> differences = new ArrayList<>();
        for (JsonNode one : cases.get("cases")) {
            String template = one.get("template").asText();
            boolean agreed = one.get("python_jinja2").asText().equals("match") || MINJA_ONLY.containsKey(template);
            String expected = one.get(agreed ? "expected" : "python_jinja2_output").asText();
            String actual = outcome(template, context(one.get("context")), OPTIONS.withWhitespace(
                    one.get("trim_blocks").asBoolean(), one.get("lstrip_blocks").asBoolean()));
            if (!expected.equals(actual)) {
                differences.add(difference(Repr.quote(template), expected, actual));
            }
        }
        assertEquals(141, cases.get("cases").size());
        assertNoneOf(differences);
    }

    /// Python's errors; where Python renders the object itself, its address cannot agree and its kind does.
    @Test
    void faultyTemplatesFailAsInPython() throws IOException {
        JsonNode cases = read(inputs().resolve("minja_syntax.json")).get("error_cases");
        List<String> differences = new ArrayList<>();
        for (JsonNode one : cases) {
            String template = one.get("template").asText();
            String actual = outcome(template, context(one.get("context")), OPTIONS.withWhitespace(false, false));
            String expected = MINJA_ONLY.containsKey(template)
                    ? "EXC TemplateSyntaxError: Unexpected end of template. Jinja was looking for the following tags: "
                            + "'endgeneration'. The innermost block that needs to be closed is 'generation'."
                    : one.has("python_jinja2_output") ? "<generator object"
                    : "EXC " + one.get("python_jinja2_error").asText()
                            .replaceFirst("^SyntaxError", "TemplateSyntaxError")
                            .replaceFirst(" \\(<template>, line \\d+\\)$", "");
            if (one.has("python_jinja2_output") ? !actual.startsWith(expected) : !actual.equals(expected)) {
                differences.add(difference(Repr.quote(template), expected, actual));
            }
        }
        assertEquals(26, cases.size());
        assertNoneOf(differences);
    }
}
