package dev.gale.train.tokenizer;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import dev.gale.train.tokenizer.TokenizerFile.AddedToken;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/// Added tokens with `"normalized": true` whose own text the normalizer changes, as Llama 2's `<s>`, which is `▁<s>`
/// behind its normalizer. Version 0.23 of the library decodes them from the changed text, earlier ones from the text as
/// written; this class brings the later rule to an earlier library by decoding with a copy of the tokenizer in which
/// those tokens have the changed text. The copy exists from the first such decoding on.
///
/// Source: `AddedVocabulary::simple_id_to_token` and `TokenizerImpl::decode` of huggingface/tokenizers 0.23.
final class NormalizedTokens implements AutoCloseable {
    private final String json;
    private final Path source;
    private final Map<String, String> texts;
    private final Set<Integer> ids;
    private HuggingFaceTokenizer copy;
    private boolean closed;

    private NormalizedTokens(String json, Path source, Map<String, String> texts, Set<Integer> ids) {
        this.json = texts.isEmpty() ? null : json;
        this.source = source;
        this.texts = texts;
        this.ids = ids;
    }

    static NormalizedTokens of(String json, TokenizerFile file, Path source) {
        Map<String, String> texts = new HashMap<>();
        Set<Integer> ids = new HashSet<>();
        boolean normalizes = file.normalizer() != null && !file.normalizer().isNull();
        if (normalizes && file.added().stream().anyMatch(AddedToken::normalized)) {
            try (HuggingFaceTokenizer probe = Tokenizer.open(file.normalizerProbe(), source)) {
                for (AddedToken token : file.added()) {
                    String text = token.normalized() ? normalized(probe, token.content()) : token.content();
                    if (text.equals(token.content())) continue;
                    texts.put(token.content(), text);
                    ids.add(token.id());
                }
            }
        }
        return new NormalizedTokens(json, source, texts, ids);
    }

    Set<Integer> ids() {
        return ids;
    }

    boolean in(int[] tokens) {
        if (ids.isEmpty()) return false;
        for (int id : tokens) {
            if (ids.contains(id)) return true;
        }
        return false;
    }

    synchronized String decode(long[] tokens) {
        if (closed) throw new IllegalStateException("the tokenizer is closed");
        if (copy == null) {
            try {
                copy = Tokenizer.open(TokenizerFile.rename(json, texts), source);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return copy.decode(tokens, false);
    }

    @Override
    public synchronized void close() {
        closed = true;
        if (copy != null) copy.close();
    }

    private static String normalized(HuggingFaceTokenizer probe, String text) {
        var bytes = new ByteArrayOutputStream();
        for (long id : probe.encode(text, false, false).getIds()) bytes.write((int) id);
        return bytes.toString(StandardCharsets.UTF_8);
    }
}
