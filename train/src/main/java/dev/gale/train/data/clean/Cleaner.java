package dev.gale.train.data.clean;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.tensor.InputException;
import dev.gale.train.data.read.RawRow;
import dev.gale.train.data.read.RawRows;
import dev.gale.train.data.read.ReadOptions;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// Copies the rows of a file that are fit to train on and puts the others, each with its reason, into a second file. Rows keep
/// their order and their bytes unless personal data in them is masked. Memory: some rows, and 40 bytes for each.
public final class Cleaner {
    private static final int CHUNK = 2048;
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final CleanOptions options;
    private final Map<Reason, Long> counts = new EnumMap<>(Reason.class);
    private final Map<PersonalData, Long> masked = new EnumMap<>(PersonalData.class);
    private final ExactDuplicates exact = new ExactDuplicates();
    private long read;

    /// @param options what to take out
    public Cleaner(CleanOptions options) {
        this.options = options;
    }

    /// What became of a file.
    ///
    /// @param rows    read
    /// @param kept    written
    /// @param removed rows by reason, all reasons that are looked for
    /// @param masked  pieces of personal data that were masked
    public record Summary(long rows, long kept, Map<Reason, Long> removed, Map<PersonalData, Long> masked) {}

    /// A row and what is known of it alone.
    private record Judged(RawRow raw, byte[] json, Reason reason, String detail, TextKey key,
                          NearDuplicates.Sketch sketch, Map<PersonalData, Integer> found) {
        Judged(RawRow raw, Reason reason, String detail) {
            this(raw, raw.json(), reason, detail, null, null, Map.of());
        }
    }

    /// Cleans the rows of a file or folder.
    ///
    /// @param kept    new file, JSONL
    /// @param removed new file, JSONL: `reason`, `detail`, `line` and the `row`
    ///
    /// Throws InputException when a row is malformed or a file is there already; then nothing is written.
    public Summary run(ReadOptions input, Path kept, Path removed) {
        RowFile.requireNew(kept);
        RowFile.requireNew(removed);
        for (Reason reason : Reason.values()) counts.put(reason, 0L);
        Path survivors = kept.resolveSibling(kept.getFileName() + ".survivors");
        try (RowFile out = new RowFile(kept); RowFile gone = new RowFile(removed)) {
            if (options.nearDuplicates() == 0) {
                readAll(input, null, out, gone, null);
            } else {
                try (NearDuplicates near = new NearDuplicates(options.nearDuplicates());
                        RowFile between = new RowFile(survivors)) {
                    LongList lines = new LongList();
                    readAll(input, near, between, gone, lines);
                    between.flush();
                    takeOutNearDuplicates(near.find(), lines, between, out, gone);
                }
            }
            gone.finish();
            out.finish();
            return new Summary(read, out.rows(), counts, masked);
        }
    }

    private void readAll(ReadOptions input, NearDuplicates near, RowFile out, RowFile gone, LongList lines) {
        try (RawRows source = RawRows.open(input)) {
            for (List<RawRow> rows = source.next(CHUNK); !rows.isEmpty(); rows = source.next(CHUNK)) {
                for (Judged row : rows.parallelStream().map(raw -> judge(raw, near)).toList()) {
                    read++;
                    Reason reason = row.reason;
                    String detail = row.detail;
                    if (reason == null && options.exactDuplicates()) {
                        int first = exact.firstOrAdd(row.key, Math.toIntExact(row.raw.line()));
                        if (first >= 0) reason = Reason.EXACT_DUPLICATE;
                        if (first >= 0) detail = "of line " + first;
                    }
                    if (reason != null) {
                        remove(row.raw.json(), row.raw.line(), reason, detail, gone, row.raw);
                        continue;
                    }
                    row.found.forEach((kind, count) -> masked.merge(kind, (long) count, Long::sum));
                    out.add(row.json);
                    if (near != null) near.add(row.sketch);
                    if (lines != null) lines.add(row.raw.line());
                }
            }
        }
    }

    private Judged judge(RawRow raw, NearDuplicates near) {
        ObjectNode row = raw.values();
        if (RowText.isTokens(row) && (options.personal() != PersonalData.Action.KEEP || !options.languages().isEmpty())) {
            throw new InputException(raw.place()
                    + " has token ids, in which neither personal data nor languages are found; clean "
                    + "the texts that they were made of");
        }
        RowText text = RowText.of(row, options.columns());
        Optional<Judged> unfit = unfit(raw, text);
        if (unfit.isPresent()) return unfit.get();
        Map<PersonalData, Integer> found = new EnumMap<>(PersonalData.class);
        byte[] json = raw.json();
        if (options.personal() != PersonalData.Action.KEEP) {
            RowText.replaceTexts(row, value -> {
                PersonalData.Masked masked = PersonalData.mask(value, options.kinds());
                masked.found().forEach((kind, count) -> found.merge(kind, count, Integer::sum));
                return masked.text();
            });
            if (!found.isEmpty() && options.personal() == PersonalData.Action.REMOVE) {
                return new Judged(raw, Reason.PERSONAL_DATA, found.toString());
            }
            if (!found.isEmpty()) {
                json = RowFile.json(row);
                text = RowText.of(row, options.columns());
            }
        }
        return new Judged(raw, json, null, "", options.exactDuplicates() ? TextKey.of(text.text()) : null,
                near == null ? null : near.sketch(text.text()), found);
    }

    private Optional<Judged> unfit(RawRow raw, RowText text) {
        String all = text.text();
        if (!options.emptyAnswers() && text.answer().filter(String::isBlank).isPresent()) {
            return Optional.of(new Judged(raw, Reason.EMPTY_ANSWER, ""));
        }
        int chars = all.codePointCount(0, all.length());
        if (chars < options.minChars()) return Optional.of(new Judged(raw, Reason.TOO_SHORT, chars + " characters"));
        if (options.maxChars() > 0 && chars > options.maxChars()) {
            return Optional.of(new Judged(raw, Reason.TOO_LONG, chars + " characters"));
        }
        Quality quality = Quality.of(all);
        if (quality.broken() > options.maxBroken()) return Optional.of(share(raw, Reason.BROKEN_TEXT, quality.broken()));
        if (quality.symbols() > options.maxSymbols()) return Optional.of(share(raw, Reason.SYMBOLS, quality.symbols()));
        if (quality.repetition() > options.maxRepetition()) {
            return Optional.of(share(raw, Reason.REPETITION, quality.repetition()));
        }
        if (options.languages().isEmpty()) return Optional.empty();
        String language = Language.of(all);
        boolean wanted = language.equals(Language.UNKNOWN) || options.languages().contains(language);
        return wanted ? Optional.empty() : Optional.of(new Judged(raw, Reason.LANGUAGE, language));
    }

    private static Judged share(RawRow raw, Reason reason, double share) {
        return new Judged(raw, reason, String.format(Locale.ROOT, "%.1f %% of the text", 100 * share));
    }

    private void takeOutNearDuplicates(int[] firsts, LongList lines, RowFile between, RowFile out, RowFile gone) {
        try (RawRows source = RawRows.open(ReadOptions.of(between.partial()))) {
            int number = 0;
            for (List<RawRow> rows = source.next(CHUNK); !rows.isEmpty(); rows = source.next(CHUNK)) {
                for (RawRow row : rows) {
                    int first = firsts[number];
                    if (first == number) out.add(row.json());
                    else remove(row.json(), lines.get(number), Reason.NEAR_DUPLICATE, "of line " + lines.get(first), gone, row);
                    number++;
                }
            }
        }
    }

    private void remove(byte[] json, long line, Reason reason, String detail, RowFile gone, RawRow raw) {
        counts.merge(reason, 1L, Long::sum);
        ObjectNode entry = JSON.createObjectNode().put("reason", reason.toString()).put("detail", detail).put("line", line);
        entry.set("row", new RawRow(raw.place(), line, json).values());
        gone.add(RowFile.json(entry));
    }
}
