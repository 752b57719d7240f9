package dev.gale.train.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.tensor.InputException;
import dev.gale.train.jinja.Rendering;
import dev.gale.train.jinja.Span;
import dev.gale.train.jinja.Template;
import dev.gale.train.jinja.TemplateException;
import dev.gale.train.testing.RealInputs;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Gale's own templates write what Transformers renders with those of the public models.
class NamedTemplatesTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, String> TOKENS = Map.of("bos_token", "<s>", "eos_token", "</s>");
    private static final List<Map<String, Object>> TALK = List.of(Map.of("role", "system", "content", "Be brief."),
            Map.of("role", "user", "content", "Hi"), Map.of("role", "assistant", "content", "Hello"),
            Map.of("role", "user", "content", "Bye"), Map.of("role", "assistant", "content", "So long"));

    static List<String> names() {
        return NamedTemplates.NAMES;
    }

    private static Map<String, Object> context(JsonNode node) {
        Map<String, Object> context = JSON.convertValue(node, new TypeReference<LinkedHashMap<String, Object>>() {});
        context.putIfAbsent("tools", null);
        context.putIfAbsent("documents", null);
        return context;
    }

    /// The text, or `error` when the template refuses: which words it does that with is its own business.
    private static String outcome(String template, Map<String, Object> context) {
        try {
            return Template.parse(template).render(context).text();
        } catch (TemplateException refused) {
            return "error";
        }
    }

    /// One public template (mistral's, of tool calls with arguments) writes `&#34;` for quotes, which nobody means.
    @ParameterizedTest
    @CsvSource({"chatml, axolotl/chatml", "llama-3, trl/llama3", "llama-3, axolotl/llama3", "llama-3.1, trl/llama3_1",
        "mistral, mistral-common/v3_spm", "gemma, trl/gemma3", "phi-3, trl/phi3_5", "qwen-2.5, trl/qwen2_5",
        "qwen-2.5, llamacpp-2025-02/Qwen-Qwen2.5-7B-Instruct"})
    void agreesWithThePublicModelsTemplate(String name, String golden) throws IOException {
        JsonNode goldens = JSON.readTree(RealInputs.path("chat-templates/goldens.json").toFile());
        List<String> differences = new ArrayList<>();
        int cases = 0;
        for (JsonNode one : goldens.get("cases")) {
            if (!one.get("template").asText().equals(golden + ".jinja")) continue;
            cases++;
            String expected = one.has("error") ? "error" : one.get("expected").asText().replace("&#34;", "\"");
            String actual = outcome(NamedTemplates.source(name).orElseThrow(),
                    context(goldens.get("contexts").get(one.get("context").asText())));
            if (actual.equals(expected)) continue;
            differences.add(one.get("context") + "\n  expected " + expected + "\n  rendered " + actual);
        }
        assertEquals(8, cases);
        assertEquals("", String.join("\n", differences));
    }

    /// The blanks of the public template depend on how its file is read; its words do not.
    @Test
    void alpacaSaysTheWordsOfThePublicTemplate() throws IOException {
        JsonNode goldens = JSON.readTree(RealInputs.path("chat-templates/goldens.json").toFile());
        int cases = 0;
        for (JsonNode one : goldens.get("cases")) {
            Map<String, Object> context = context(goldens.get("contexts").get(one.get("context").asText()));
            boolean system = context.get("messages").toString().startsWith("[{role=system");
            if (!one.get("template").asText().endsWith("/alpaca.jinja") || !system) continue;
            String actual = outcome(NamedTemplates.source("alpaca").orElseThrow(), context);
            assertEquals(words(one.get("expected").asText()), words(actual));
            cases++;
        }
        assertEquals(2, cases);
    }

    private static String words(String text) {
        return text.replace("<BOS>", " <BOS> ").replaceAll("\\s+", " ").strip();
    }

    @ParameterizedTest
    @CsvSource({"qwen-3, Qwen/Qwen3-0.6B", "zephyr, HuggingFaceH4/zephyr-7b-beta (add_generation_prompt=true)"})
    void agreesWithATemplateThatPythonAgreesOn(String name, String model) throws IOException {
        JsonNode all = JSON.readTree(RealInputs.path("chat-templates/hfjs_jinja_e2e.json").toFile()).get("custom_templates");
        JsonNode contexts = JSON.readTree(RealInputs.path("chat-templates/goldens.json").toFile()).get("contexts");
        String theirs = all.get(model).get("chat_template").asText();
        String ours = NamedTemplates.source(name).orElseThrow();
        List<Map<String, Object>> talks = new ArrayList<>();
        contexts.forEach(context -> talks.add(context(context)));
        talks.add(context(all.get(model).get("data")));
        for (Map<String, Object> talk : List.copyOf(talks)) {
            Map<String, Object> other = new LinkedHashMap<>(talk);
            other.put("enable_thinking", false);
            talks.add(other);
        }
        talks.add(thought("reasoning_content", "2 and 2", "4"));
        talks.add(thought("name", "x", "<think>\nhm\n</think>\n\n4"));
        for (Map<String, Object> talk : talks) assertEquals(outcome(theirs, talk), outcome(ours, talk));
        assertEquals(20, talks.size());
    }

    private static Map<String, Object> thought(String key, String value, String content) {
        Map<String, Object> context = new LinkedHashMap<>(TOKENS);
        context.put("tools", null);
        context.put("messages", List.of(Map.of("role", "user", "content", "2+2?"),
                Map.of("role", "assistant", "content", content, key, value)));
        return context;
    }

    @ParameterizedTest
    @CsvSource(delimiter = '%', textBlock = """
            phi-4  % [system]Be brief.<im_end>[user]Hi<im_end>[assistant]Hello<im_end>\
            [user]Bye<im_end>[assistant]So long<im_end>
            vicuna % <s>Be brief. USER: Hi ASSISTANT: Hello</s>USER: Bye ASSISTANT: So long</s>
            alpaca % <s>Be brief.~~### Instruction:~Hi~~### Response:~Hello</s>~~### Instruction:~Bye~~### Response:~So long</s>
            gemma  % <s>(user)~Be brief.~~Hi<end>~(model)~Hello<end>~(user)~Bye<end>~(model)~So long<end>
            """)
    void writesTheDocumentedFormat(String name, String expected) {
        String whole = expected.replaceAll("\\[(\\w+)]", "<|im_start|>$1<|im_sep|>").replace("<im_end>", "<|im_end|>")
                .replaceAll("\\((\\w+)\\)", "<start_of_turn>$1").replace("<end>", "<end_of_turn>");
        assertEquals(whole.replace('~', '\n').strip(), ChatTemplate.load(Path.of(name), TOKENS).render(TALK, false).strip());
    }

    @ParameterizedTest
    @MethodSource("names")
    void theAssistantsTurnsAreMarkedWithTheirEnds(String name) {
        Map<String, Object> context = new LinkedHashMap<>(TOKENS);
        context.put("messages", TALK);
        Rendering rendering = Template.parse(NamedTemplates.source(name).orElseThrow()).render(context);
        List<String> said = new ArrayList<>();
        for (Span span : rendering.generation()) said.add(rendering.text().substring(span.start(), span.end()));
        assertTrue(said.size() >= 2, said.toString());
        assertTrue(said.get(0).contains("Hello") && said.get(0).length() > "Hello".length() + 2, said.toString());
        assertTrue(said.get(1).contains("So long") && said.get(1).length() > "So long".length() + 2, said.toString());
        context.put("add_generation_prompt", true);
        context.put("messages", TALK.subList(0, 4));
        String prompt = Template.parse(NamedTemplates.source(name).orElseThrow()).render(context).text();
        assertTrue(rendering.text().startsWith(prompt) || name.equals("mistral") || name.equals("qwen-3"), prompt);
    }

    @Test
    void anUnknownNameListsThoseThatAreKnown() {
        String message = assertThrows(InputException.class, () -> ChatTemplate.load(Path.of("chat-ml"), TOKENS)).getMessage();
        assertTrue(message.contains("alpaca, chatml, gemma"), message);
    }
}
