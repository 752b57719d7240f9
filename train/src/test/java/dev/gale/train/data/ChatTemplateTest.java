package dev.gale.train.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.tensor.InputException;
import dev.gale.train.SftConfig;
import dev.gale.train.jinja.Span;
import dev.gale.train.testing.RealInputs;
import dev.gale.train.testing.TestFiles;
import dev.gale.train.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatTemplateTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String CHATML = """
            {%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}
            {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""";
    private static final String PHI = """
            {%- for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content + '<|end|>\\n' }}{% endfor %}
            {%- if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}""";
    private static final String MISTRAL = """
            {{- bos_token }}{%- for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}
            {%- else %}{{ ' ' + m.content | trim + eos_token }}{% endif %}{% endfor %}""";

    @TempDir Path folder;

    private static Map<String, Object> message(String role, String content) {
        Map<String, Object> message = new LinkedHashMap<>();
        message.put("role", role);
        message.put("content", content);
        return message;
    }

    private static Sample.Chat chat(String... contents) {
        List<Map<String, Object>> messages = new ArrayList<>();
        for (String content : contents) messages.add(message(messages.size() % 2 == 0 ? "user" : "assistant", content));
        return new Sample.Chat(messages, 0, null, Map.of());
    }

    /// The text with trained parts in brackets.
    private static String marked(ChatText chat) {
        StringBuilder marked = new StringBuilder();
        int at = 0;
        for (Span span : chat.trained()) {
            marked.append(chat.text(), at, span.start()).append('⟦');
            marked.append(chat.text(), span.start(), span.end()).append('⟧');
            at = span.end();
        }
        return marked.append(chat.text().substring(at)).toString();
    }

    private static String marked(String template, Sample.Chat chat) {
        return marked(ChatTemplate.parse(template, Map.of("bos_token", "<s>", "eos_token", "</s>")).training(chat, "row 1"));
    }

    @Test
    void aTurnGoesFromTheGenerationPromptToItsEnd() {
        assertEquals("<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n⟦b<|im_end|>\n⟧<|im_start|>user\nc<|im_end|>\n"
                + "<|im_start|>assistant\n⟦d<|im_end|>\n⟧", marked(CHATML, chat("a", "b", "c", "d")));
    }

    @Test
    void textOfTheUserThatLooksLikeATurnIsNotTrained() {
        String forged = "<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n";
        assertEquals("<|im_start|>user\n" + forged + "<|im_end|>\n<|im_start|>assistant\n⟦b<|im_end|>\n⟧",
                marked(CHATML, chat(forged, "b")));
    }

    @Test
    void whatOnlyEndsAConversationIsPartOfItsLastTurnOnly() {
        assertEquals("<|user|>\na<|end|>\n<|assistant|>\n⟦b<|end|>\n⟧<|user|>\nc<|end|>\n<|assistant|>\n⟦d<|end|>\n</s>⟧",
                marked(PHI, chat("a", "b", "c", "d")));
    }

    @Test
    void aTemplateWithoutGenerationPromptShowsTurnsBySubstitution() {
        assertEquals("<s>[INST] a [/INST] ⟦b</s>⟧[INST] c [/INST] ⟦d e</s>⟧", marked(MISTRAL, chat("a", " b\n", "c", "d e")));
        String plain = "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}";
        assertEquals("user: a\nassistant: ⟦b\n⟧user: b\nassistant: ⟦\n⟧", marked(plain, chat("a", "b", "b", "")));
    }

    @Test
    void reasoningThatHistoryDropsIsFoundWhereItIsKept() {
        String template = """
                {%- for m in messages %}{{ '<' + m.role + '>' }}
                {%- if m.role == 'assistant' and not loop.last %}{{ m.content.split('</think>')[-1] }}
                {%- else %}{{ m.content }}{% endif %}{{ '<end>' }}{% endfor %}
                {%- if add_generation_prompt %}{{ '<assistant><think>' }}{% endif %}""";
        assertEquals("<user>a<end><assistant>⟦b<end>⟧<user>c<end><assistant><think>⟦y</think>d<end>⟧",
                marked(template, chat("a", "<think>x</think>b", "c", "<think>y</think>d")));
    }

    @Test
    void generationBlocksOfTheTemplateDecide() {
        String template = """
                {%- for m in messages %}{% if m.role == 'assistant' %}A:{% generation %}{{ m.content }}!{% endgeneration %}
                {%- else %}U:{{ m.content }};{% endif %}{% endfor %}""";
        assertEquals("U:a;A:⟦b!⟧U:c;A:⟦d!⟧", marked(template, chat("a", "b", "c", "d")));
    }

    @Test
    void aTurnThatTheTemplateLeavesOutIsNotTrained() {
        String template = "{% for m in messages[-2:] %}{{ '<' + m.role + '>' + m.content + '<end>' }}{% endfor %}";
        assertEquals("<user>c<end><assistant>⟦d<end>⟧", marked(template, chat("a", "b", "c", "d")));
    }

    @Test
    void aTemplateThatHidesItsTurnsIsRefused() {
        String template = "{{ messages | map(attribute='content') | join(' ') | upper | length }}{{ messages | length }}";
        String message = assertThrows(InputException.class, () -> marked(template, chat("a", "b"))).getMessage();
        assertTrue(message.startsWith("row 1: the chat template does not show where message 2"), message);
    }

    @Test
    void whatATemplateRefusesIsNamedWithItsPlace() {
        ChatTemplate template = ChatTemplate.parse("{{ raise_exception('no system role') }}", Map.of());
        String message = assertThrows(InputException.class, () -> template.training(chat("a"), "d.jsonl, line 3")).getMessage();
        assertTrue(message.startsWith("d.jsonl, line 3: ") && message.contains("no system role"), message);
        assertThrows(InputException.class, () -> ChatTemplate.parse("{% for %}", Map.of()));
    }

    private Tokenizer tokenizer(String chatTemplate) throws IOException {
        Files.copy(TestFiles.tokenizer("qwen2"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"eos_token\": \"<|im_end|>\"}");
        if (chatTemplate != null) Files.writeString(folder.resolve("chat_template.jinja"), chatTemplate);
        return Tokenizer.load(folder);
    }

    private static String trained(Tokenizer tokenizer, Example example) {
        return tokenizer.decode(IntStream.range(0, example.length()).filter(i -> example.trained()[i])
                .map(i -> example.ids()[i]).toArray(), false);
    }

    @Test
    void exactlyTheAssistantsTokensAndEndsOfTurnsAreTrained() throws IOException {
        Path data = folder.resolve("d.jsonl");
        Files.writeString(data, """
                {"messages": [{"role": "user", "content": "Hi 🦙"}, {"role": "assistant", "content": "Hello 🦙!"}, \
                {"role": "user", "content": "Bye"}, {"role": "assistant", "content": "See you."}]}
                {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yes"}]}
                {"messages": [{"role": "user", "content": "nobody answers"}]}""");
        SftConfig assistant = SftConfig.builder().assistantOnlyLoss(true).build();
        try (Tokenizer tokenizer = tokenizer(CHATML)) {
            List<Example> examples = Dataset.load(data).examples(tokenizer, assistant);
            assertEquals(2, examples.size(), "the row without an answer has nothing to learn");
            assertEquals("Hello 🦙!<|im_end|>\nSee you.<|im_end|>\n", trained(tokenizer, examples.get(0)));
            assertEquals("Yes<|im_end|>\n", trained(tokenizer, examples.get(1)));
            Example all = Dataset.load(data).examples(tokenizer, SftConfig.builder().build()).getFirst();
            assertEquals(all.length() - 1, all.trainedTokens());
        }
    }

    @Test
    void aCompletionOfMessagesIsTrainedAndThePromptIsNot() throws IOException {
        Path data = folder.resolve("d.jsonl");
        Files.writeString(data, """
                {"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, \
                {"role": "user", "content": "c"}], "completion": [{"role": "assistant", "content": "d"}]}""");
        try (Tokenizer tokenizer = tokenizer(CHATML)) {
            assertEquals("d<|im_end|>\n", trained(tokenizer,
                    Dataset.load(data).examples(tokenizer, SftConfig.builder().build()).getFirst()));
            assertEquals("b<|im_end|>\nd<|im_end|>\n", trained(tokenizer, Dataset.load(data)
                    .examples(tokenizer, SftConfig.builder().assistantOnlyLoss(true).build()).getFirst()));
        }
    }

    @Test
    void badMessagesAreNamed() throws IOException {
        try (Tokenizer tokenizer = tokenizer(CHATML)) {
            for (String messages : List.of("[]", "7", "[7]", "[{\"content\": \"a\"}]",
                    "[{\"from\": \"ghost\", \"value\": \"a\"}]")) {
                Path data = folder.resolve("d.jsonl");
                Files.writeString(data, "{\"messages\": " + messages + "}");
                String message = assertThrows(InputException.class,
                        () -> Dataset.load(data).examples(tokenizer, SftConfig.builder().build())).getMessage();
                assertTrue(message.contains("d.jsonl, line 1"), message);
            }
        }
    }

    @Test
    void conversationsNeedAChatTemplate() throws IOException {
        Path data = folder.resolve("d.jsonl");
        Files.writeString(data, "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}");
        try (Tokenizer tokenizer = tokenizer(null)) {
            String message = assertThrows(InputException.class,
                    () -> Dataset.load(data).examples(tokenizer, SftConfig.builder().build())).getMessage();
            assertTrue(message.contains("no chat template"), message);
        }
        Path template = Files.writeString(folder.resolve("own.jinja"), CHATML);
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            DatasetConfig config = DatasetConfig.of(data).withChatTemplate(template);
            assertEquals(1, Dataset.load(config).examples(tokenizer, SftConfig.builder().build()).size());
        }
    }

    /// Every real template that renders a conversation: what the assistant says is trained, what others say is not. A
    /// template with generation blocks gives the same spans when they are taken out of it, but for the part of a turn
    /// that its generation prompt has already said.
    @Test
    void realTemplatesShowTheirTurns() throws IOException {
        Path root = RealInputs.path("chat-templates");
        JsonNode goldens = JSON.readTree(root.resolve("goldens.json").toFile());
        int shown = 0;
        int compared = 0;
        int refused = 0;
        for (JsonNode item : goldens.get("cases")) {
            if (!item.has("expected")) continue;
            String name = item.get("template").asText() + " " + item.get("context").asText();
            String source = Files.readString(root.resolve("templates").resolve(item.get("template").asText()));
            Sample.Chat chat = chat(goldens.get("contexts").get(item.get("context").asText()));
            try {
                ChatText found = ChatTemplate.parse(withoutGeneration(source), Map.of()).training(chat, name);
                assertOnlyTheAssistant(name, chat, found);
                shown++;
                if (item.has("generation_spans") && !item.get("generation_spans").isEmpty()) {
                    assertSameTurns(name, ChatTemplate.parse(source, Map.of()).training(chat, name), found);
                    compared++;
                }
            } catch (InputException e) {
                assertTrue(e.getMessage().contains("does not show"), e.getMessage());
                refused++;
            }
        }
        assertTrue(shown > 400 && compared > 60 && refused < 20, shown + " shown, " + compared + " compared, " + refused);
    }

    private static Sample.Chat chat(JsonNode context) {
        Map<String, Object> variables = JSON.convertValue(context, new TypeReference<LinkedHashMap<String, Object>>() {});
        List<Map<String, Object>> messages = JSON.convertValue(variables.remove("messages"), new TypeReference<>() {});
        Object tools = variables.remove("tools");
        variables.remove("add_generation_prompt");
        return new Sample.Chat(messages, 0, tools, variables);
    }

    private static String withoutGeneration(String source) {
        return source.replaceAll("(\\{%-?\\s*)endgeneration(\\s*-?%})", "$1endif$2")
                .replaceAll("(\\{%-?\\s*)generation(\\s*-?%})", "$1if true$2");
    }

    private static void assertOnlyTheAssistant(String name, Sample.Chat chat, ChatText found) {
        for (Map<String, Object> message : chat.messages()) {
            if (!(message.get("content") instanceof String content) || content.strip().length() < 5) continue;
            boolean inside = found.trained().stream().anyMatch(span ->
                    found.text().substring(span.start(), span.end()).contains(content.strip()));
            boolean wanted = message.get("role").equals("assistant") && found.text().contains(content.strip());
            assertEquals(wanted, inside, name + ": " + content + "\n" + marked(found));
        }
    }

    private static void assertSameTurns(String name, ChatText want, ChatText got) {
        if (name.startsWith("trl/diffusion_gemma") && name.contains("tool")) return;  // opens the tool's answer itself
        String both = name + "\nwant " + marked(want) + "\ngot  " + marked(got);
        assertEquals(want.trained().stream().map(Span::end).toList(), got.trained().stream().map(Span::end).toList(), both);
        for (int i = 0; i < want.trained().size(); i++) {
            int a = want.trained().get(i).start();
            int b = got.trained().get(i).start();
            assertTrue(want.text().substring(Math.min(a, b), Math.max(a, b)).matches("\\s*(<think>\\s*(</think>\\s*)?)?"),
                    both);
        }
    }
}
