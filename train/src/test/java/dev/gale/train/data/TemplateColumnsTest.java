package dev.gale.train.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import dev.gale.train.SftConfig;
import dev.gale.train.testing.TestFiles;
import dev.gale.train.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What a row gives to the chat template beside its messages.
class TemplateColumnsTest {
    private static final SftConfig ASSISTANT = SftConfig.builder().assistantOnlyLoss(true).build();
    private static final String MESSAGES = "\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, "
            + "{\"role\": \"assistant\", \"content\": \"a\"}]";
    private static final String TEMPLATE = "{% for d in documents or [] %}<doc {{ d.title }}>{{ d.text }}</doc>{% endfor %}"
            + "{% if enable_thinking is defined and not enable_thinking %}<quiet>{% endif %}"
            + "{% for m in messages %}<{{ m.role }}>{{ m.content }}<|eot_id|>{% endfor %}"
            + "{% if add_generation_prompt %}<assistant>{% endif %}";

    @TempDir Path folder;

    @BeforeEach
    void copyTokenizer() throws IOException {
        Files.copy(TestFiles.tokenizer("llama3"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("tokenizer_config.json"),
                "{\"bos_token\": \"<|begin_of_text|>\", \"eos_token\": \"<|eot_id|>\"}");
        Files.writeString(folder.resolve("template.jinja"), TEMPLATE);
    }

    private List<String> texts(String rows) throws IOException {
        return texts(Files.writeString(folder.resolve("d.jsonl"), rows));
    }

    private List<String> texts(Path file) {
        DatasetConfig config = DatasetConfig.builder(file).chatTemplate(folder.resolve("template.jinja"))
                .cacheDir(folder.resolve("cache")).build();
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            return Dataset.load(config).examples(tokenizer, ASSISTANT).stream()
                    .map(example -> tokenizer.decode(example.ids(), false).replace("<|eot_id|>", "|")).toList();
        }
    }

    @Test
    void documentsAndVariablesReachTheTemplateRowByRow() throws IOException {
        assertEquals(List.of("<doc T>x</doc><doc >y</doc><user>q|<assistant>a|", "<quiet><user>q|<assistant>a|",
                "<user>q|<assistant>a|", "<doc D>z</doc><user>q|<assistant>a|"), texts("""
                {%1$s, "documents": [{"title": "T", "text": "x"}, {"text": "y"}], \
                "chat_template_kwargs": {"enable_thinking": true}}
                {%1$s, "documents": [], "chat_template_kwargs": {"enable_thinking": false}}
                {%1$s, "documents": null, "chat_template_kwargs": null}
                {%1$s, "chat_template_kwargs": {"documents": [{"title": "D", "text": "z"}]}}
                """.formatted(MESSAGES)));
    }

    @Test
    void aPromptOfMessagesHasThemToo() throws IOException {
        assertEquals(List.of("<doc T>x</doc><user>q|<assistant>a|"), texts("""
                {"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}],\
                 "documents": [{"title": "T", "text": "x"}]}
                """));
    }

    @Test
    void csvHasThemAsJson() throws IOException {
        Path csv = Files.writeString(folder.resolve("d.csv"), "messages,documents,chat_template_kwargs\n"
                + "\"[{\"\"role\"\": \"\"user\"\", \"\"content\"\": \"\"q\"\"}, {\"\"role\"\": \"\"assistant\"\", "
                + "\"\"content\"\": \"\"a\"\"}]\",\"[{\"\"title\"\": \"\"T\"\", \"\"text\"\": "
                + "\"\"x\"\"}]\",\"{\"\"enable_thinking\"\": false}\"\n");
        assertEquals(List.of("<doc T>x</doc><quiet><user>q|<assistant>a|"), texts(csv));
    }

    @Test
    void whatIsSomethingElseIsOneSentenceWithTheRow() {
        for (String wrong : List.of("\"documents\": {\"text\": \"x\"}", "\"documents\": [\"x\"]",
                "\"documents\": [{\"title\": \"x\"}]", "\"documents\": [{\"text\": \"x\"}, {\"text\": 7}]",
                "\"documents\": [{\"text\": \"x\", \"title\": [1]}]", "\"documents\": \"x\"", "\"chat_template_kwargs\": [1]",
                "\"chat_template_kwargs\": \"yes\"", "\"chat_template_kwargs\": {\"tokenize\": true}",
                "\"chat_template_kwargs\": {\"messages\": []}",
                "\"documents\": [{\"text\": \"x\"}], \"chat_template_kwargs\": {\"documents\": [{\"text\": \"y\"}]}",
                "\"tools\": {\"name\": \"f\"}", "\"tools\": 7")) {
            String rows = "{%s}\n{%1$s, %s}\n".formatted(MESSAGES, wrong);
            String message = assertThrows(InputException.class, () -> texts(rows), wrong).getMessage();
            assertTrue(message.contains("d.jsonl, line 2") && message.lines().count() == 1, message);
        }
    }
}
