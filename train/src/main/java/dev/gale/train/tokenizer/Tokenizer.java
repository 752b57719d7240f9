package dev.gale.train.tokenizer;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import com.fasterxml.jackson.core.JsonProcessingException;
import dev.gale.nn.JsonProblem;
import dev.gale.tensor.InputException;
import dev.gale.train.tokenizer.TokenizerFile.AddedToken;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.LongFunction;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/// A Hugging Face tokenizer: `tokenizer.json`, or what stands in for it, run by the original library, with the special tokens
/// and chat templates of `tokenizer_config.json`, `special_tokens_map.json` and `chat_template.jinja` beside it. It holds
/// native memory: close it. Encoding and decoding may be called from several threads.
public final class Tokenizer implements AutoCloseable {
    static {
        // Read once, when the library's classes load: no network, no telemetry, and the plain build on GPU machines
        // too.
        defaultProperty("ai.djl.offline", "true");
        defaultProperty("OPT_OUT_TRACKING", "true");
        defaultProperty("RUST_FLAVOR", "cpu");
    }

    private static final Map<String, String> PLAIN =
            Map.of("truncation", "do_not_truncate", "padding", "do_not_pad", "modelMaxLength", "2147483647");

    private final Path source;
    private final String json;
    private final TokenizerChanges changes;
    private final HuggingFaceTokenizer library;
    private final NormalizedTokens normalizedTokens;
    private final TokenizerConfig config;
    private final Map<String, Integer> ids;
    private final Set<Integer> special;
    private final Set<Integer> droppedByLibrary;
    private final int vocabSize;
    private final ReentrantReadWriteLock use = new ReentrantReadWriteLock();      // shared by calls, exclusive to close
    private boolean closed;

    private Tokenizer(Path source, String json, TokenizerFile file, TokenizerConfig config, TokenizerChanges changes) {
        this.source = source;
        this.json = json;
        this.changes = changes;
        this.config = config;
        this.ids = file.ids();
        this.vocabSize = file.size();
        this.library = open(json, source);
        try {
            this.normalizedTokens = NormalizedTokens.of(json, file, source);
        } catch (RuntimeException e) {
            library.close();
            throw e;
        }
        Set<Integer> specialIds = new HashSet<>();
        file.added().stream().filter(AddedToken::special).forEach(token -> specialIds.add(token.id()));
        this.droppedByLibrary = new HashSet<>(specialIds);
        droppedByLibrary.removeAll(normalizedTokens.ids());
        TokenizerConfig.ROLES.forEach(role -> id(role).ifPresent(specialIds::add));
        this.special = Set.copyOf(specialIds);
        for (String role : List.of("bos_token", "eos_token")) requireKnown(role);
    }

    /// Loads a tokenizer from a model folder or from one of its files: `tokenizer.json`, else SentencePiece's
    /// `tokenizer.model`, else GPT-2's `vocab.json` with the `merges.txt` beside it. What a folder says of special tokens is
    /// read too.
    ///
    /// Throws InputException when it is missing or malformed.
    public static Tokenizer load(Path folderOrFile) {
        TokenizerSource source = TokenizerSource.find(folderOrFile);
        Path path = source.file();
        try {
            TokenizerFile file = TokenizerFile.parse(source.json());
            Path folder = path.toAbsolutePath().getParent();
            TokenizerConfig config = TokenizerConfig.read(folder, file, source);
            String json = SpecialTokens.apply(source.json(), file, config, source.made());
            return new Tokenizer(path, json, json.equals(source.json()) ? file : TokenizerFile.parse(json), config,
                    TokenizerChanges.NONE);
        } catch (JsonProcessingException e) {
            throw new InputException("%s is not valid JSON (%s); download it again".formatted(path,
                    JsonProblem.where(e)), e);
        } catch (IOException e) {
            throw new InputException("%s is not a tokenizer: %s; download it again or export it with Transformers"
                    .formatted(path, e.getMessage()), e);
        }
    }

    /// The same tokenizer with more tokens, which get the ids behind the last one; those that it has already stay as they are.
    /// It is one of its own: both must be closed.
    ///
    /// @param tokens  ordinary ones
    /// @param special ones that decoding for people leaves out
    /// Throws InputException when a token is empty.
    public Tokenizer withTokens(List<String> tokens, List<String> special) {
        return with(changes.withTokens(tokens, special));
    }

    /// The same tokenizer with another `eos_token`. It is one of its own: both must be closed.
    ///
    /// Throws InputException when it is no token.
    public Tokenizer withEosToken(String token) {
        if (idOf(token).isEmpty()) {
            throw new InputException("eos_token '%s' is no token of %s; add it with add_special_tokens"
                    .formatted(token, source));
        }
        return with(changes.withEosToken(token));
    }

    /// The same tokenizer with another chat template. It is one of its own: both must be closed.
    public Tokenizer withChatTemplate(String template) {
        return with(changes.withChatTemplate(template));
    }

    private Tokenizer with(TokenizerChanges more) {
        try {
            String changed = more.addTo(json);
            return new Tokenizer(source, changed, TokenizerFile.parse(changed), more.addTo(config), more);
        } catch (IOException e) {
            throw new UncheckedIOException(e);                                  // it was one before
        }
    }

    /// Writes the files that make this tokenizer into a folder: those it came from, and what was changed since.
    public void save(Path folder) throws IOException {
        TokenizerFiles.copy(source, folder);
        changes.write(folder, json);
    }

    /// Tokens of a text. Special tokens written out in the text become special tokens, as in Hugging Face. Half a
    /// surrogate pair, which no UTF-8 text can hold, is read as U+FFFD.
    ///
    /// @param addSpecialTokens let the tokenizer add what its file says (mostly one token at the beginning)
    public Encoding encode(String text, boolean addSpecialTokens) {
        return encoded(text, addSpecialTokens, handle -> {
            CharSpan[] spans = TokenizersLibrary.LIB.getTokenCharSpans(handle);
            int[] starts = new int[spans.length];
            int[] ends = new int[spans.length];
            for (int i = 0; i < spans.length; i++) {
                if (spans[i] == null) continue;
                starts[i] = spans[i].getStart();
                ends[i] = spans[i].getEnd();
            }
            toUtf16(text, starts, ends);
            return new Encoding(ids(handle), starts, ends);
        });
    }

    /// Ids of a text, see `encode`.
    public int[] ids(String text, boolean addSpecialTokens) {
        return encoded(text, addSpecialTokens, Tokenizer::ids);
    }

    /// Takes from a native encoding what is wanted and frees it, come what may: the library's own wrapper copies all
    /// that it has, token texts included, and keeps it when a copy fails.
    private <T> T encoded(String text, boolean addSpecialTokens, LongFunction<T> wanted) {
        return whileOpen(() -> {
            long handle = TokenizersLibrary.LIB.encode(library.getHandle(), wellFormed(text), addSpecialTokens);
            try {
                return wanted.apply(handle);
            } finally {
                TokenizersLibrary.LIB.deleteEncoding(handle);
            }
        });
    }

    /// Calls the library while nobody closes it: the thread of a parallel stream may still be at work when another one's
    /// exception has reached whoever closes.
    private <T> T whileOpen(Supplier<T> call) {
        use.readLock().lock();
        try {
            if (closed) throw new IllegalStateException("the tokenizer is closed");
            return call.get();
        } finally {
            use.readLock().unlock();
        }
    }

    private static int[] ids(long encoding) {
        return Arrays.stream(TokenizersLibrary.LIB.getTokenIds(encoding)).mapToInt(Math::toIntExact).toArray();
    }

    /// Text of tokens, exactly as the library's version 0.23 decodes them; ids beyond the vocabulary are left out.
    /// There a token whose own text the normalizer changes (Llama 2's `<s>` becomes `▁<s>`) decodes as the changed
    /// text and is not recognized as special; use `text` to be rid of special tokens whatever the tokenizer.
    ///
    /// @param skipSpecial leave out special tokens
    public String decode(int[] tokens, boolean skipSpecial) {
        int[] kept = skipSpecial ? without(tokens, droppedByLibrary) : tokens;
        if (kept.length == 0) return "";
        long[] wide = Arrays.stream(kept).asLongStream().toArray();
        return whileOpen(() -> normalizedTokens.in(kept) ? normalizedTokens.decode(wide) : library.decode(wide, false));
    }

    /// Text for people: decoded without any special token.
    public String text(int[] tokens) {
        return decode(without(tokens, special), false);
    }

    /// Decoding of tokens as they come.
    ///
    /// @param skipSpecial leave out special tokens
    public TokenStream stream(boolean skipSpecial) {
        return new TokenStream(this, skipSpecial);
    }

    /// Smallest vocabulary that holds every id: one more than the largest, added tokens included.
    public int vocabSize() {
        return vocabSize;
    }

    /// Throws InputException when the model's embedding has no row for some token.
    ///
    /// @param modelVocabSize `vocab_size` of the model
    public void requireFits(int modelVocabSize) {
        if (vocabSize > modelVocabSize) {
            throw new InputException(("%s has ids up to %d, but the model's embedding has only %d rows; use the "
                    + "tokenizer that belongs to the model, and name new tokens in add_tokens")
                    .formatted(source, vocabSize - 1, modelVocabSize));
        }
    }

    /// Id of a token by its exact text in the vocabulary, e.g. `<|im_end|>`.
    public OptionalInt idOf(String token) {
        Integer id = ids.get(token);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /// Whether an id is a special token.
    public boolean isSpecial(int id) {
        return special.contains(id);
    }

    public OptionalInt bosId() {
        return id("bos_token");
    }

    public OptionalInt eosId() {
        return id("eos_token");
    }

    public OptionalInt padId() {
        return id("pad_token");
    }

    /// Ids at which generation stops: `eos_token` and what the model's folder says.
    public Set<Integer> endIds() {
        Set<Integer> ends = new HashSet<>(config.ends());
        eosId().ifPresent(ends::add);
        return ends;
    }

    public Optional<String> bosToken() {
        return Optional.ofNullable(config.tokens().get("bos_token"));
    }

    public Optional<String> eosToken() {
        return Optional.ofNullable(config.tokens().get("eos_token"));
    }

    public Optional<String> padToken() {
        return Optional.ofNullable(config.tokens().get("pad_token"));
    }

    /// Text of the special tokens by their names in the config: `bos_token`, `eos_token`, `pad_token`, `unk_token`.
    public Map<String, String> specialTokens() {
        return Map.copyOf(config.tokens());
    }

    /// `add_bos_token` of the config, if it says so. What `encode` adds is decided by a `tokenizer.json` where there is one.
    public Optional<Boolean> addBosToken() {
        return config.addBosToken();
    }

    /// The chat template for conversations without tools, if there is one.
    public Optional<String> chatTemplate() {
        return Optional.ofNullable(config.templates().get("default"));
    }

    /// All chat templates by name; the usual one is `default`.
    public Map<String, String> chatTemplates() {
        return Map.copyOf(config.templates());
    }

    /// What it has beside its files, as text: added tokens, another `eos_token` or chat template. Tokenizers of the same files
    /// and changes give the same ids.
    public String changes() {
        return changes.toString();
    }

    /// The file that was read: a `tokenizer.json`, `tokenizer.model` or `vocab.json`.
    public Path source() {
        return source;
    }

    @Override
    public void close() {
        use.writeLock().lock();
        try {
            if (closed) return;
            closed = true;
            normalizedTokens.close();
            library.close();
        } finally {
            use.writeLock().unlock();
        }
    }

    int[] withoutSpecial(int[] tokens) {
        return without(tokens, special);
    }

    static HuggingFaceTokenizer open(String json, Path source) {
        try {
            byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
            return HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(bytes), PLAIN);
        } catch (IOException | RuntimeException e) {
            throw new InputException("%s cannot be loaded: %s; download it again or export it with Transformers"
                    .formatted(source, String.valueOf(e.getMessage()).lines().findFirst().orElse("")), e);
        } catch (LinkageError e) {
            throw new InputException(("the tokenizer library does not run on this machine (%s); set the environment "
                    + "variable DJL_CACHE_DIR to a folder where programs may be stored").formatted(e.getMessage()), e);
        }
    }

    private OptionalInt id(String role) {
        String token = config.tokens().get(role);
        return token == null ? OptionalInt.empty() : idOf(token);
    }

    private void requireKnown(String role) {
        String token = config.tokens().get(role);
        if (token != null && !ids.containsKey(token)) {
            close();
            throw new InputException("the config beside %s names %s as %s, but the vocabulary does not have it; "
                    .formatted(source, token, role) + "correct tokenizer_config.json or special_tokens_map.json");
        }
    }

    private static int[] without(int[] tokens, Set<Integer> dropped) {
        return IntStream.of(tokens).filter(id -> !dropped.contains(id)).toArray();
    }

    /// The library counts code points.
    private static void toUtf16(String text, int[] starts, int[] ends) {
        int points = text.codePointCount(0, text.length());
        if (points == text.length()) return;
        int[] at = new int[points + 1];
        for (int i = 0, point = 0; point < points; point++) {
            i += Character.charCount(text.codePointAt(i));
            at[point + 1] = i;
        }
        for (int i = 0; i < starts.length; i++) {
            starts[i] = at[starts[i]];
            ends[i] = at[ends[i]];
        }
    }

    private static String wellFormed(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (Character.isSurrogate(text.charAt(i))) {
                return new String(text.codePoints().map(p -> p >= 0xD800 && p <= 0xDFFF ? 0xFFFD : p).toArray(), 0,
                        text.codePointCount(0, text.length()));
            }
        }
        return text;
    }

    private static void defaultProperty(String name, String value) {
        if (System.getProperty(name) == null && System.getenv(name) == null) System.setProperty(name, value);
    }
}
