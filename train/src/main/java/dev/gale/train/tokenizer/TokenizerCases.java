package dev.gale.train.tokenizer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.JsonProblem;
import dev.gale.tensor.InputException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Supplier;

/// Compares a tokenizer with what another implementation recorded: a JSON array of objects with `text`, `ids` and, each
/// optional, `ids_no_special`, `offsets` (pairs in code points), `decoded` (without special tokens) and `decoded_keep`.
public final class TokenizerCases {
    private static final ObjectMapper JSON = new ObjectMapper();
    private final Tokenizer tokenizer;
    private final Path file;
    private final PrintWriter out;

    private TokenizerCases(Tokenizer tokenizer, Path file, PrintWriter out) {
        this.tokenizer = tokenizer;
        this.file = file;
        this.out = out;
    }

    /// Prints a line for every difference and `N of M agree` at the end; returns the number of cases that differ.
    ///
    /// Throws InputException when the file is not one of cases.
    public static int check(Tokenizer tokenizer, Path file, PrintWriter out) {
        return new TokenizerCases(tokenizer, file, out).check();
    }

    private int check() {
        JsonNode cases = read();
        int agree = 0;
        for (int i = 0; i < cases.size(); i++) {
            if (agrees(i, cases.get(i))) agree++;
        }
        out.printf("%d of %d agree%n", agree, cases.size());
        out.flush();
        return cases.size() - agree;
    }

    private JsonNode read() {
        if (!Files.isRegularFile(file)) {
            throw new InputException("%s does not exist; give a JSON file of tokenizer cases".formatted(file));
        }
        JsonNode cases;
        try {
            cases = JSON.readTree(TextFile.read(file));
        } catch (JsonProcessingException e) {
            throw new InputException("%s is not valid JSON (%s)".formatted(file, JsonProblem.where(e)), e);
        }
        if (!cases.isArray() || cases.isEmpty()) {
            throw new InputException("%s holds no cases; a JSON array of objects with text and ids is expected"
                    .formatted(file));
        }
        return cases;
    }

    private boolean agrees(int index, JsonNode item) {
        int[] ids = ids(item);
        if (!item.path("text").isTextual() || ids == null) {
            throw new InputException("case %d of %s has no \"text\" or no list of \"ids\"".formatted(index, file));
        }
        String text = item.get("text").textValue();
        Encoding encoding = tokenizer.encode(text, true);
        boolean agree = same(index, text, "ids", item.get("ids"), () -> JSON.valueToTree(encoding.ids()));
        agree &= same(index, text, "ids_no_special", item.get("ids_no_special"),
                () -> JSON.valueToTree(tokenizer.ids(text, false)));
        agree &= same(index, text, "offsets", item.get("offsets"), () -> JSON.valueToTree(codePoints(text, encoding)));
        agree &= same(index, text, "decoded", item.get("decoded"),
                () -> JSON.valueToTree(tokenizer.decode(ids, true)));
        agree &= same(index, text, "decoded_keep", item.get("decoded_keep"),
                () -> JSON.valueToTree(tokenizer.decode(ids, false)));
        return agree;
    }

    private static int[] ids(JsonNode item) {
        try {
            return JSON.convertValue(item.get("ids"), int[].class);
        } catch (IllegalArgumentException notNumbers) {
            return null;
        }
    }

    private boolean same(int index, String text, String what, JsonNode want, Supplier<JsonNode> got) {
        if (want == null) return true;
        JsonNode actual = got.get();
        if (actual.equals(want)) return true;
        out.printf("case %d %s: %s differ%s: want %s, got %s%n", index, JSON.valueToTree(text), what,
                what.startsWith("decoded") ? "s" : "", want, actual);
        return false;
    }

    private static int[][] codePoints(String text, Encoding encoding) {
        int[][] pairs = new int[encoding.length()][];
        for (int i = 0; i < pairs.length; i++) {
            pairs[i] = new int[] {text.codePointCount(0, encoding.starts()[i]),
                    text.codePointCount(0, encoding.ends()[i])};
        }
        return pairs;
    }
}
