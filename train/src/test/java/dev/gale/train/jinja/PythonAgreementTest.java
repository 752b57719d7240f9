package dev.gale.train.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Small templates for every feature, with the text or the error that Python gives for them: `jinja/cases.json` was
/// written with jinja2 3.1.6 in the environment of Transformers 5.18 on Python 3.11.
class PythonAgreementTest {
    private static final TemplateOptions OPTIONS = TemplateOptions.TRANSFORMERS.withClock(
            Clock.fixed(Instant.parse("2025-07-09T03:04:05.000678Z"), ZoneOffset.UTC));

    @TestFactory
    Stream<DynamicTest> templatesRenderAsInPython() throws IOException {
        ObjectMapper json = new ObjectMapper();
        JsonNode cases;
        try (InputStream in = PythonAgreementTest.class.getResourceAsStream("/jinja/cases.json")) {
            cases = json.readTree(in);
        }
        Map<String, Object> context = json.convertValue(cases.get("context"),
                new TypeReference<LinkedHashMap<String, Object>>() {});
        return cases.get("groups").properties().stream().map(group -> DynamicTest.dynamicTest(group.getKey(), () -> {
            List<String> differences = new ArrayList<>();
            for (JsonNode one : group.getValue()) {
                String expected = one.get(1).asText();
                String actual = outcome(one.get(0).asText(), context);
                if (!expected.equals(actual)) {
                    differences.add(one.get(0).asText() + "\n    python " + expected + "\n    gale   " + actual);
                }
            }
            assertTrue(group.getValue().size() >= 5);
            assertEquals("", String.join("\n", differences), differences.size() + " cases differ");
        }));
    }

    private static String outcome(String template, Map<String, Object> context) {
        try {
            return Template.parse(template, OPTIONS).render(context).text();
        } catch (TemplateException failure) {
            return "EXC " + failure.kind().pythonName() + ": " + failure.getMessage();
        }
    }
}
