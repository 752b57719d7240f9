package dev.gale.train.data;

import dev.gale.train.data.read.ContentKey;
import dev.gale.train.data.read.RowReader;
import dev.gale.train.tokenizer.Tokenizer;
import dev.gale.train.tokenizer.TokenizerFiles;
import java.io.IOException;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Stream;

/// Tokenizes rows on all cores, a limited number at a time, into a file of the cache. The file's name stands for all that
/// its tokens depend on: the content of the rows, what the columns mean, the tokenizer, the chat template, the options, and
/// the build of Gale; with a template that writes the date, also today's.
final class TokenizedRows {
    private static final int MOST_ROWS = 1024;
    private static final long MOST_CHARACTERS = 2L << 20;

    private final RowSet rows;
    private final DatasetConfig config;
    private final RowFormat format;
    private final Tokenizer tokenizer;

    TokenizedRows(RowSet rows, DatasetConfig config, RowFormat format, Tokenizer tokenizer) {
        this.rows = rows;
        this.config = config;
        this.format = format;
        this.tokenizer = tokenizer;
    }

    /// The examples of the rows; of rows in memory, in memory.
    ///
    /// @param options what else the encoder looks at
    ExampleList list(List<?> options, Function<Row, List<Dataset.Marked>> encoder) {
        if (!rows.isInMemory()) return file(options, encoder);
        List<Dataset.Marked> examples = new ArrayList<>();
        try {
            encode(encoder, examples::add);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        return ExampleList.of(examples.stream().map(Dataset.Marked::example).toList(),
                examples.stream().mapToInt(Dataset.Marked::mark).toArray());
    }

    /// The examples of the rows in a file.
    TokenFile file(List<?> options, Function<Row, List<Dataset.Marked>> encoder) {
        return TokenCache.at(config.cacheDir()).get(key(options),
                writer -> encode(encoder, marked -> writer.append(marked.example(), marked.mark())));
    }

    private String key(List<?> options) {
        ContentKey key = new ContentKey().add("gale tokens 2", Dataset.class.getPackage().getImplementationVersion());
        rows.describe(key);
        key.add(format, config.textField(), config.promptField(), config.completionField(), config.template(), options);
        Optional<String> own = config.chatTemplate().map(ChatTemplate::source);
        own.ifPresent(key::add);
        TokenizerFiles.of(tokenizer.source()).forEach(file -> key.add(file.getFileName()).addFile(file));
        Map<String, String> templates = new TreeMap<>(tokenizer.chatTemplates());
        key.add(tokenizer.changes(), new TreeMap<>(tokenizer.specialTokens()), templates);
        boolean dated = Stream.concat(own.stream(), templates.values().stream())
                .anyMatch(text -> text.contains("strftime_now"));
        return key.add(dated ? LocalDate.now() : "").hex();
    }

    /// Takes what becomes of a row.
    @FunctionalInterface
    private interface Sink {
        void accept(Dataset.Marked example) throws IOException;
    }

    private void encode(Function<Row, List<Dataset.Marked>> encoder, Sink sink) throws IOException {
        try (RowReader reader = rows.open()) {
            List<Row> some = new ArrayList<>(MOST_ROWS);
            long characters = 0;
            for (Row row = reader.next(); row != null; row = reader.next()) {
                some.add(row);
                characters += characters(row.values());
                if (some.size() < MOST_ROWS && characters < MOST_CHARACTERS) continue;
                encode(some, encoder, sink);
                some.clear();
                characters = 0;
            }
            encode(some, encoder, sink);
        }
        rows.requireUnchanged();
    }

    private static void encode(List<Row> some, Function<Row, List<Dataset.Marked>> encoder, Sink sink) throws IOException {
        for (List<Dataset.Marked> row : some.parallelStream().map(encoder).toList()) {
            for (Dataset.Marked example : row) sink.accept(example);
        }
    }

    private static long characters(Object value) {
        return switch (value) {
            case String text -> text.length();
            case Map<?, ?> map -> map.values().stream().mapToLong(TokenizedRows::characters).sum();
            case List<?> list -> list.stream().mapToLong(TokenizedRows::characters).sum();
            case null, default -> 8;
        };
    }
}
