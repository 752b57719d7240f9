package dev.gale.train.data;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.train.SftConfig;
import dev.gale.train.testing.RealInputs;
import dev.gale.train.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The conversation that axolotl tokenized for Llama-2 chat and for Vicuna: the same stretches are trained. Axolotl encodes
/// turn by turn, so the tokens around the marks differ; the assistant's words and the end of each turn must not.
class AxolotlFixtureTest {
    private static final String LLAMA2 = """
            {%- for m in messages %}{% if m.role == 'user' %}{{ bos_token + '[INST] ' + m.content + ' [/INST]' }}
            {%- else %}{{ ' ' + m.content + ' ' + eos_token }}{% endif %}{% endfor %}""";

    @TempDir Path folder;

    @Test
    void theSameTurnsAreTrained() throws IOException {
        Path template = Files.writeString(folder.resolve("llama2.jinja"), LLAMA2);
        assertTheSameTurns("conversation.tokenized_llama2chat.json", "tokenizer.json", template);
    }

    /// Axolotl ends these turns twice, once in letters: this `tokenizer.json` knows `</s>` behind a blank only, which Vicuna's
    /// format does not have, and the `tokenizer.model` beside it knows it everywhere.
    @Test
    void theSameTurnsAreTrainedInVicunasFormat() throws IOException {
        assertTheSameTurns("conversation.tokenized.json", "tokenizer.model", Path.of("vicuna"));
    }

    private void assertTheSameTurns(String file, String vocabulary, Path template) throws IOException {
        Path data = RealInputs.path("data/axolotl-fixtures/conversation.json");
        Path expected = RealInputs.path("data/axolotl-fixtures/" + file);
        JsonNode labels = new ObjectMapper().readTree(expected.toFile()).get("labels");
        List<Integer> want = new ArrayList<>();
        labels.forEach(label -> want.add(label.intValue()));
        Path array = Files.writeString(folder.resolve("d.jsonl"),
                new ObjectMapper().readTree(data.toFile()).toString());
        DatasetConfig config = DatasetConfig.of(array).withChatTemplate(template);
        SftConfig options = SftConfig.builder().assistantOnlyLoss(true).maxLength(100_000).build();
        try (Tokenizer tokenizer = Tokenizer.load(RealInputs.path("tokenizers/llama2").resolve(vocabulary))) {
            Example example = Dataset.load(config).examples(tokenizer, options).getFirst();
            List<Integer> got = new ArrayList<>();
            for (int i = 0; i < example.length(); i++) got.add(example.trained()[i] ? example.ids()[i] : -100);
            List<String> turns = turns(tokenizer, want);
            assertEquals(6, turns.size());
            assertEquals(turns, turns(tokenizer, got));
        }
    }

    /// Text of each stretch of trained tokens, which all end with the end-of-text token.
    private static List<String> turns(Tokenizer tokenizer, List<Integer> labels) {
        int end = tokenizer.eosId().getAsInt();
        List<String> turns = new ArrayList<>();
        List<Integer> turn = new ArrayList<>();
        for (int label : labels) {
            if (label == -100) turn.clear();
            else turn.add(label);
            if (label == end) {
                String text = tokenizer.text(turn.stream().mapToInt(Integer::intValue).toArray()).strip();
                turns.add(text.endsWith("</s>") ? text.substring(0, text.length() - 4).strip() : text);
                turn.clear();
            }
        }
        return turns;
    }
}
