package dev.gale.train.data.read;

import dev.gale.tensor.InputException;
import dev.gale.train.data.Row;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/// The rows of a dataset, which can be read again and again: those of the chosen splits, in the order of the files, that
/// meet the condition, with their columns renamed. Memory does not depend on how many there are.
public final class RowSource {
    private final ReadOptions options;
    private final List<Part> parts;
    private final Map<Path, Stamp> stamps = new LinkedHashMap<>();

    /// A stretch of the rows of some files.
    private record Part(List<DataFile> files, long from, long to) {}

    private RowSource(ReadOptions options, List<Part> parts) {
        this.options = options;
        this.parts = parts;
        files().forEach(file -> stamps.put(file, Stamp.of(file)));
    }

    /// All rows of a file or folder.
    public static RowSource of(Path path) {
        return of(ReadOptions.of(path));
    }

    /// Finds the files.
    ///
    /// Throws InputException when one is missing, or a split is not there.
    public static RowSource of(ReadOptions options) {
        Map<String, List<Path>> splits = splits(options);
        List<Part> parts = new ArrayList<>();
        for (SplitSlice slice : SplitSlice.parse(options.split())) {
            List<Path> paths = splits.get(slice.split());
            if (paths == null) {
                throw new InputException("%s has no split '%s'; choose one of: %s".formatted(options.path(),
                        slice.split(), String.join(", ", splits.keySet())));
            }
            List<DataFile> files = paths.stream().flatMap(path -> DataFile.of(path).stream()).toList();
            long[] bounds = slice.isWhole() ? new long[] {0, Long.MAX_VALUE}
                    : slice.bounds(files.stream().mapToLong(file -> Tables.count(file, options.sampleBy())).sum());
            parts.add(new Part(files, bounds[0], bounds[1]));
        }
        return new RowSource(options, parts);
    }

    private static Map<String, List<Path>> splits(ReadOptions options) {
        Path path = options.path();
        boolean given = !options.dataFiles().patterns().isEmpty();
        if (!given && FilePattern.isPattern(path.toString()) && !Files.exists(path)) return matching(path);
        if (Files.isDirectory(path)) return DatasetFolder.splits(path, options.name(), options.dataFiles());
        if (given) {
            throw new InputException("dataset.data_files names files of a folder, but dataset.path %s is none".formatted(path));
        }
        return Map.of("train", List.of(path));
    }

    /// The files that a pattern of paths names: its part up to the first wildcard is a folder.
    private static Map<String, List<Path>> matching(Path pattern) {
        Path folder = pattern.isAbsolute() ? pattern.getRoot() : Path.of("");
        int next = 0;
        while (!FilePattern.isPattern(pattern.getName(next).toString())) folder = folder.resolve(pattern.getName(next++));
        if (!Files.isDirectory(folder)) {
            throw new InputException("the dataset %s does not exist; there is no folder %s".formatted(pattern, folder));
        }
        String rest = pattern.subpath(next, pattern.getNameCount()).toString().replace('\\', '/');
        return DatasetFolder.splits(folder, Optional.empty(), DataFiles.of(rest, "dataset.path"));
    }

    /// The files that the rows come from; an archive is one.
    public List<Path> files() {
        return parts.stream().flatMap(part -> part.files.stream()).map(DataFile::path).distinct().toList();
    }

    /// A name for the rows: the bytes of the files, what of them is read, and how.
    public String contentKey() {
        ContentKey key = new ContentKey().add(options.columns(), options.where(), options.sampleBy(), options.maxSamples());
        for (Part part : parts) {
            key.add(part.from, part.to, part.files.size());
            for (DataFile file : part.files) key.add(file.kind(), file.entry());
        }
        files().forEach(key::addFile);
        return key.hex();
    }

    /// What of a file tells that someone wrote into it.
    private record Stamp(long size, long modified) {
        static Stamp of(Path file) {
            try {
                return new Stamp(Files.size(file), Files.getLastModifiedTime(file).toMillis());
            } catch (IOException e) {
                throw new InputException("%s cannot be read any more (%s)".formatted(file, e.getMessage()), e);
            }
        }
    }

    /// Throws InputException when a file is no longer what it was when this was made.
    public void requireUnchanged() {
        stamps.forEach((file, stamp) -> {
            if (!Stamp.of(file).equals(stamp)) {
                throw new InputException("%s changed while it was read; start again when nobody writes into it"
                        .formatted(file));
            }
        });
    }

    /// Reads the rows from the beginning. Close the reader.
    public RowReader open() {
        return reader();
    }

    Reader reader() {
        return new Reader();
    }

    /// The rows from the beginning. Close the stream.
    public Stream<Row> stream() {
        RowReader reader = open();
        Spliterator<Row> rows = new Spliterators.AbstractSpliterator<>(Long.MAX_VALUE,
                Spliterator.ORDERED | Spliterator.NONNULL) {
            @Override
            public boolean tryAdvance(Consumer<? super Row> action) {
                Row row = reader.next();
                if (row != null) action.accept(row);
                return row != null;
            }
        };
        return StreamSupport.stream(rows, false).onClose(reader::close);
    }

    /// Goes through the files of all parts, one open at a time.
    final class Reader implements RowReader {
        private final boolean several = parts.stream().mapToInt(part -> part.files.size()).sum() > 1;
        private int part;
        private int file;
        private long before;
        private long given;
        private TableReader table;

        @Override
        public Row next() {
            Row row = advance(TableReader::next);
            return row == null ? null : renamed(row);
        }

        /// With the columns' own names.
        RawRow nextRaw() {
            RawRow row = advance(TableReader::nextRaw);
            return row == null || !several ? row : new RawRow(row.place(), given, row.json());
        }

        private <T> T advance(Function<TableReader, T> reading) {
            if (options.maxSamples() > 0 && given == options.maxSamples()) return null;
            while (part < parts.size()) {
                Part current = parts.get(part);
                if (file == current.files.size() || before >= current.to) {
                    part++;
                    file = 0;
                    before = 0;
                    continue;
                }
                if (table == null) table = open(current.files.get(file));
                T row = reading.apply(table);
                if (row == null || before + table.index() >= current.to) {
                    leave(current);
                } else if (before + table.index() >= current.from) {
                    given++;
                    return row;
                }
            }
            return null;
        }

        private TableReader open(DataFile data) {
            try {
                return Tables.open(data, options);
            } catch (IOException e) {
                throw data.unreadable(e);
            }
        }

        private void leave(Part current) {
            table.close();
            table = null;
            boolean cut = current.to != Long.MAX_VALUE || current.from > 0;
            if (cut && current.files.size() > 1) before += Tables.count(current.files.get(file), options.sampleBy());
            file++;
        }

        private Row renamed(Row row) {
            if (options.columns().isEmpty()) return row;
            Map<String, Object> values = new LinkedHashMap<>(row.values());
            options.columns().forEach((name, column) -> {
                if (given == 1) row.require(column);
                values.remove(column);
            });
            options.columns().forEach((name, column) -> {
                if (row.values().containsKey(column)) values.put(name, row.values().get(column));
            });
            return new Row(values, row.place());
        }

        @Override
        public void close() {
            if (table != null) table.close();
            table = null;
        }
    }
}
