package dev.gale.train.data.clean;

import dev.gale.tensor.InputException;
import dev.gale.train.data.read.RawRow;
import dev.gale.train.data.read.RawRows;
import dev.gale.train.data.read.ReadOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;

/// Makes one file of rows from several, in given shares. Which rows of a file are taken, and where they come to stand among
/// those of others, is drawn; rows of one file keep their order. A file that is too small for its share is repeated.
public final class Mixer {
    private static final int CHUNK = 2048;

    /// Rows and the share of the result that comes from them.
    ///
    /// @param name  what people call them
    /// @param share above 0; shares count in relation to each other
    public record Part(String name, ReadOptions rows, double share) {
        /// Reads `file:share`.
        ///
        /// @param reading finds the rows of a file or folder, or of a dataset's name
        ///
        /// Throws InputException when there is no share above 0.
        public static Part parse(String text, Function<Path, ReadOptions> reading) {
            int colon = text.lastIndexOf(':');
            String share = text.substring(colon + 1).strip();
            if (colon < 1 || !share.matches("\\d*\\.?\\d+") || Double.parseDouble(share) <= 0) {
                throw new InputException("'%s' names no file with a share: write e.g. a.jsonl:0.75".formatted(text));
            }
            String name = text.substring(0, colon);
            return new Part(name, reading.apply(Path.of(name)), Double.parseDouble(share));
        }
    }

    /// What was taken.
    ///
    /// @param rows  of the part in the result
    /// @param of    rows that it has
    public record Taken(Part part, long rows, long of) {}

    private Mixer() {}

    /// Mixes files.
    ///
    /// @param rows of the result; 0 for as many as there are without a row twice
    ///
    /// Throws InputException when a file is missing or empty, a row is malformed, or the result is there already.
    public static List<Taken> run(List<Part> parts, Path output, long rows, long seed) {
        RowFile.requireNew(output);
        if (new HashSet<>(parts.stream().map(part -> part.rows().path().toAbsolutePath().normalize()).toList()).size()
                < parts.size()) {
            throw new InputException("a file is named twice: give each file once, with its share");
        }
        List<Long> sizes = parts.stream().map(part -> count(part.rows())).toList();
        double sum = parts.stream().mapToDouble(Part::share).sum();
        double most = Double.MAX_VALUE;
        for (int i = 0; i < parts.size(); i++) most = Math.min(most, sizes.get(i) * sum / parts.get(i).share());
        long total = rows > 0 ? rows : (long) Math.floor(most + 1e-9);
        List<Taken> taken = new ArrayList<>();
        double until = 0;
        long given = 0;
        for (int i = 0; i < parts.size(); i++) {
            until += parts.get(i).share();
            long next = i == parts.size() - 1 ? total : Math.round(total * until / sum);
            long share = rows > 0 ? next - given : Math.min(sizes.get(i), next - given);
            taken.add(new Taken(parts.get(i), share, sizes.get(i)));
            given = next;
        }
        write(taken, output, seed);
        return taken;
    }

    private static long count(ReadOptions input) {
        long count = 0;
        try (RawRows source = RawRows.open(input)) {
            for (List<RawRow> rows = source.next(CHUNK); !rows.isEmpty(); rows = source.next(CHUNK)) {
                rows.parallelStream().forEach(RawRow::values);
                count += rows.size();
            }
        }
        if (count == 0) throw new InputException("the dataset %s is empty; it needs at least one row".formatted(input.path()));
        return count;
    }

    /// At each place of the result every row that is still to come is as likely as any other.
    private static void write(List<Taken> taken, Path output, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        List<Rows> sources = new ArrayList<>();
        try (RowFile out = new RowFile(output)) {
            for (Taken part : taken) sources.add(new Rows(part, random.split()));
            long left = taken.stream().mapToLong(Taken::rows).sum();
            for (; left > 0; left--) {
                long place = random.nextLong(left);
                int i = 0;
                while (place >= sources.get(i).left) place -= sources.get(i++).left;
                out.add(sources.get(i).next());
            }
            out.finish();
        } finally {
            sources.forEach(Rows::close);
        }
    }

    /// So many rows of a file: all of them as often as they fit, and then a drawn choice.
    private static final class Rows implements AutoCloseable {
        private final Taken part;
        private final SplittableRandom random;
        private long left;
        private long passed;
        private long leftAtBegin;
        private RawRows source;
        private List<RawRow> chunk = List.of();
        private int position;

        Rows(Taken part, SplittableRandom random) {
            this.part = part;
            this.random = random;
            this.left = part.rows;
        }

        /// Knuth's selection sampling: of the rows that remain in this pass, those still wanted are equally likely.
        byte[] next() {
            while (true) {
                if (source == null || passed == part.of) reopen();
                if (position == chunk.size()) {
                    chunk = source.next(CHUNK);
                    position = 0;
                    if (chunk.isEmpty()) throw new InputException(part.part.name + " changed while it was read: run again");
                }
                RawRow row = chunk.get(position++);
                long wanted = wantedOfPass();
                long remaining = part.of - passed++;
                if (random.nextLong(remaining) >= wanted) continue;
                left--;
                return row.json();
            }
        }

        private long wantedOfPass() {
            return Math.min(leftAtBegin, part.of) - (leftAtBegin - left);
        }

        private void reopen() {
            if (source != null) source.close();
            source = RawRows.open(part.part.rows);
            chunk = List.of();
            position = 0;
            passed = 0;
            leftAtBegin = left;
        }

        @Override
        public void close() {
            if (source != null) source.close();
        }
    }
}
