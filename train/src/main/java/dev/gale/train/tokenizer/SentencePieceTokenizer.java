package dev.gale.train.tokenizer;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.train.tokenizer.SentencePieceModel.Algorithm;
import dev.gale.train.tokenizer.SentencePieceModel.Piece;
import dev.gale.train.tokenizer.SentencePieceModel.Type;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/// The `tokenizer.json` of a SentencePiece model: the same ids for the same text as SentencePiece's own `Encode`, and
/// control pieces written out in a text become their ids, as in Hugging Face.
///
/// - **BPE.** Two pieces whose texts together are a piece may be merged, the highest score first.
/// - **Unigram.** Pieces with their scores. Those of bytes, which no text may match, get a score that loses.
/// - **Blanks.** `▁` for each, one more before the text if the model says so. `legacy: false` puts none behind a special
///   token, by a pre-tokenizer that has no blank to add where the text begins with one.
///
/// Source: `bpe_model.cc`, `unigram_model.cc` and `normalizer.cc` of google/sentencepiece.
final class SentencePieceTokenizer {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String BLANK = "▁";
    private static final double NEVER = -1e4;
    private static final int ALL = 1 << 20;

    private final SentencePieceModel model;
    private final boolean prefix;
    private final boolean legacy;
    private final ObjectNode root = JSON.createObjectNode();

    private SentencePieceTokenizer(SentencePieceModel model, boolean prefix, boolean legacy) {
        this.model = model;
        this.prefix = prefix;
        this.legacy = legacy;
    }

    /// @param prefix whether a blank is put before the text
    /// @param legacy whether one is put behind a special token, too
    /// Throws IOException when the model cuts text in a way that no `tokenizer.json` describes.
    static String json(SentencePieceModel model, boolean prefix, boolean legacy) throws IOException {
        return new SentencePieceTokenizer(model, prefix, legacy).json();
    }

    private String json() throws IOException {
        if (model.algorithm() != Algorithm.BPE && model.algorithm() != Algorithm.UNIGRAM) {
            throw new IOException("it cuts text into %ss; BPE and Unigram are known"
                    .formatted(model.algorithm().name().toLowerCase(Locale.ROOT)));
        }
        if (model.whitespaceSuffix()) throw new IOException("its blanks end words (treat_whitespace_as_suffix)");
        root.put("version", "1.0").putNull("truncation").putNull("padding");
        addedTokens(root.putArray("added_tokens"));
        normalizer(root.putObject("normalizer"));
        preTokenizer();
        root.putNull("post_processor");
        decoder(root.putObject("decoder"));
        if (model.algorithm() == Algorithm.BPE) bpe(root.putObject("model"));
        else unigram(root.putObject("model"));
        return root.toString();
    }

    private void addedTokens(ArrayNode added) {
        for (int id = 0; id < model.pieces().size(); id++) {
            Piece piece = model.pieces().get(id);
            boolean symbol = piece.type() == Type.USER_DEFINED;
            if (!symbol && piece.type() != Type.CONTROL && piece.type() != Type.UNKNOWN) continue;
            added.add(TokenizerFile.addedToken(id, piece.text(), !symbol, symbol));
        }
    }

    private void normalizer(ObjectNode node) {
        ArrayNode steps = node.put("type", "Sequence").putArray("normalizers");
        if (model.charsmap().length > 0) {
            steps.addObject().put("type", "Precompiled")
                    .put("precompiled_charsmap", Base64.getEncoder().encodeToString(model.charsmap()));
        }
        if (model.removeExtraWhitespaces()) {
            replace(steps, "\\A +", "");
            replace(steps, " +\\z", "");
            replace(steps, " {2,}", " ");
        }
        if (prefix && legacy) prepend(steps);
        if (model.escapeWhitespaces()) {
            steps.addObject().put("type", "Replace").put("content", BLANK).putObject("pattern").put("String", " ");
        }
    }

    /// A symbol of the user's is looked for in the prepared text, for which it is prepared itself; it must stay as it is.
    private void prepend(ArrayNode steps) {
        String symbols = model.pieces().stream().filter(piece -> piece.type() == Type.USER_DEFINED)
                .map(piece -> quoted(piece.text())).collect(Collectors.joining("|"));
        if (symbols.isEmpty()) steps.addObject().put("type", "Prepend").put("prepend", BLANK);
        else replace(steps, "\\A(?!(?:" + symbols + ")\\z)(?=[\\s\\S])", BLANK);
    }

    private static String quoted(String text) {
        return text.replaceAll("[\\\\^$.|?*+()\\[\\]{}]", "\\\\$0");
    }

    private static void replace(ArrayNode steps, String regex, String content) {
        steps.addObject().put("type", "Replace").put("content", content).putObject("pattern").put("Regex", regex);
    }

    private void preTokenizer() {
        if (!prefix || legacy) {
            root.putNull("pre_tokenizer");
            return;
        }
        root.putObject("pre_tokenizer").put("type", "Metaspace").put("replacement", BLANK)
                .put("prepend_scheme", "first").put("split", false);
    }

    private void decoder(ObjectNode node) {
        ArrayNode steps = node.put("type", "Sequence").putArray("decoders");
        steps.addObject().put("type", "Replace").put("content", " ").putObject("pattern").put("String", BLANK);
        steps.addObject().put("type", "ByteFallback");
        steps.addObject().put("type", "Fuse");
        if (!prefix && !model.removeExtraWhitespaces()) return;
        steps.addObject().put("type", "Strip").put("content", " ").put("start", model.removeExtraWhitespaces() ? ALL : 1)
                .put("stop", 0);
    }

    private void bpe(ObjectNode node) {
        node.put("type", "BPE").putNull("dropout").put("unk_token", model.pieces().get(model.unknown()).text())
                .put("fuse_unk", true).put("byte_fallback", model.byteFallback()).put("ignore_merges", false);
        ObjectNode vocab = node.putObject("vocab");
        for (int id = 0; id < model.pieces().size(); id++) vocab.put(model.pieces().get(id).text(), id);
        ArrayNode merges = node.putArray("merges");
        for (Merge merge : merges()) merges.addArray().add(merge.left).add(merge.right);
    }

    private record Merge(String left, String right, float score, int leftId, int rightId) {}

    private List<Merge> merges() {
        Map<String, Integer> ids = new HashMap<>();
        Predicate<Piece> takesPart = piece -> piece.type() == Type.NORMAL || piece.type() == Type.USER_DEFINED;
        for (int id = 0; id < model.pieces().size(); id++) {
            if (takesPart.test(model.pieces().get(id))) ids.put(model.pieces().get(id).text(), id);
        }
        List<Merge> merges = new ArrayList<>();
        for (Piece piece : model.pieces()) {
            String text = piece.text();
            if (piece.type() != Type.NORMAL) continue;
            for (int i = text.offsetByCodePoints(0, text.isEmpty() ? 0 : 1); i < text.length();
                 i = text.offsetByCodePoints(i, 1)) {
                Integer left = ids.get(text.substring(0, i));
                Integer right = ids.get(text.substring(i));
                if (left == null || right == null) continue;
                merges.add(new Merge(text.substring(0, i), text.substring(i), piece.score(), left, right));
            }
        }
        merges.sort(Comparator.comparing(Merge::score).reversed().thenComparing(Merge::leftId).thenComparing(Merge::rightId));
        return merges;
    }

    private void unigram(ObjectNode node) {
        node.put("type", "Unigram").put("unk_id", model.unknown()).put("byte_fallback", model.byteFallback());
        ArrayNode vocab = node.putArray("vocab");
        for (Piece piece : model.pieces()) {
            boolean matches = piece.type() != Type.BYTE && piece.type() != Type.UNUSED;
            vocab.addArray().add(piece.text()).add(matches ? piece.score() : NEVER);
        }
    }
}
