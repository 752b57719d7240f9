package dev.gale.train.data.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.tensor.InputException;
import dev.gale.train.SftConfig;
import dev.gale.train.data.DatasetConfig;
import dev.gale.train.data.Example;
import dev.gale.train.data.Row;
import dev.gale.train.data.RowEncoder;
import dev.gale.train.data.RowFormat;
import dev.gale.train.data.clean.Language;
import dev.gale.train.data.clean.NearDuplicates;
import dev.gale.train.data.clean.PersonalData;
import dev.gale.train.data.clean.Quality;
import dev.gale.train.data.read.RawRow;
import dev.gale.train.data.clean.RowText;
import dev.gale.train.data.clean.TextKey;
import dev.gale.train.tokenizer.Tokenizer;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/// Finds out what a row shows by itself. May be used from several threads.
final class RowStudy {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Set<PersonalData> KINDS = EnumSet.allOf(PersonalData.class);
    private static final int LONGEST_LABEL = 40;
    private static final int SHORTEST_PROSE = 80;
    private static final int CHARS_A_TOKEN = 4;

    private final ReportOptions options;
    private final NearDuplicates near;
    private final Optional<RowEncoder> encoder;
    private final Optional<Tokenizer> tokenizer;

    /// @param first the first row that can be read, which tells the format
    ///
    /// Throws InputException when the tokenizer cannot be used with rows such as this.
    RowStudy(ReportOptions options, NearDuplicates near, Optional<Tokenizer> tokenizer, RawRow first) {
        this.options = options;
        this.near = near;
        this.tokenizer = tokenizer;
        if (tokenizer.isEmpty() && RowText.isTokens(first.values())) {
            throw new InputException(first.place() + " has token ids: name the tokenizer that they are of with --tokenizer");
        }
        SftConfig training = SftConfig.builder().assistantOnlyLoss(options.assistantOnly()).build();
        this.encoder = tokenizer.map(loaded -> new RowEncoder(new Row(values(first.values()), first.place()),
                DatasetConfig.of(options.rows().path()), loaded, training));
    }

    private static Map<String, Object> values(ObjectNode row) {
        Map<String, Object> values = new LinkedHashMap<>();
        row.forEachEntry((column, value) -> values.put(column, JSON.convertValue(value, Object.class)));
        return values;
    }

    /// What training would make of a row; empty without a tokenizer.
    ///
    /// Throws InputException when training would refuse it.
    Optional<Example> example(RawRow raw) {
        return encoder.map(encode -> encode.encode(values(raw.values()), raw.place()));
    }

    RowFacts read(RawRow raw) {
        ObjectNode row;
        Optional<Example> example;
        try {
            row = raw.values();
            example = example(raw);
        } catch (InputException e) {
            return RowFacts.unreadable(raw, e.getMessage());
        }
        RowText text = encoder.filter(encode -> encode.format() == RowFormat.TOKENS).isPresent()
                ? decoded(example.orElseThrow())
                : RowText.of(row, options.columns());
        String all = text.text();
        int tokens = example.map(Example::length).orElse((all.length() + CHARS_A_TOKEN - 1) / CHARS_A_TOKEN);
        int trained = example.map(e -> e.first(options.maxLength()).trainedTokens()).orElse(-1);
        return new RowFacts(raw, Optional.empty(), tokens, trained, WordFacts.of(all), Quality.of(all), Language.of(all),
                PersonalData.mask(all, KINDS).found(), text.answer().map(RowStudy::answer), TextKey.of(all),
                text.prompt().isEmpty() ? null : TextKey.of(text.prompt()), near.sketch(all), labels(row, text));
    }

    /// What token ids say; where some are not learned, the others are the answer.
    private RowText decoded(Example example) {
        Tokenizer decoder = tokenizer.orElseThrow();
        String all = decoder.decode(example.ids(), true).strip();
        if (example.trainedTokens() >= example.length() - 1) return new RowText(all, "", Optional.empty());
        return new RowText(all, decoder.decode(ids(example, false), true).strip(),
                Optional.of(decoder.decode(ids(example, true), true)));
    }

    private static int[] ids(Example example, boolean trained) {
        return IntStream.range(0, example.length()).filter(i -> example.trained()[i] == trained).map(i -> example.ids()[i])
                .toArray();
    }

    private static RowFacts.Answer answer(String answer) {
        String stripped = answer.strip();
        String line = stripped.substring(stripped.lastIndexOf('\n') + 1);
        boolean prose = stripped.length() >= SHORTEST_PROSE && line.split("\\s+").length >= 8;
        char last = stripped.isEmpty() ? '.' : stripped.charAt(stripped.length() - 1);
        return new RowFacts.Answer(stripped.length(), stripped.isEmpty(), prose && (Character.isLetterOrDigit(last)
                || last == ','));
    }

    private static Map<String, String> labels(ObjectNode row, RowText text) {
        Map<String, String> labels = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> column : row.properties()) {
            JsonNode value = column.getValue();
            boolean scalar = value.isTextual() || value.isBoolean() || value.isIntegralNumber();
            if (scalar && value.asText().length() <= LONGEST_LABEL) labels.put(column.getKey(), value.asText());
        }
        boolean conversation = row.has("messages") || row.has("conversations");
        text.answer().filter(answer -> conversation && answer.length() <= LONGEST_LABEL)
                .ifPresent(answer -> labels.put("last answer", answer.strip()));
        return labels;
    }
}
