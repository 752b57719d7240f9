package dev.gale.train.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.JsonProblem;
import dev.gale.tensor.InputException;
import dev.gale.train.data.read.ContentKey;
import dev.gale.train.data.read.RowReader;
import dev.gale.train.data.read.RowSource;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.Iterator;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.Supplier;
import java.util.stream.Stream;

/// Rows that can be read again and again, or some of them by their numbers.
final class RowSet {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Supplier<RowReader> opener;
    private final String contentKey;
    private final int all;
    private final BitSet members;
    private final Runnable check;

    /// @param contentKey name of the content, null for rows in memory
    /// @param members    numbers of the rows that belong to it, null for all
    /// @param check      complains when the rows are no longer those of the content's name
    private RowSet(Supplier<RowReader> opener, String contentKey, int all, BitSet members, Runnable check) {
        this.check = check;
        this.opener = opener;
        this.contentKey = contentKey;
        this.all = all;
        this.members = members;
    }

    static RowSet of(List<Row> rows) {
        return new RowSet(() -> reader(rows.iterator()), null, rows.size(), null, () -> {});
    }

    private static RowReader reader(Iterator<Row> rows) {
        return new RowReader() {
            @Override
            public Row next() {
                return rows.hasNext() ? rows.next() : null;
            }

            @Override
            public void close() {}
        };
    }

    /// All rows of a source, after a look at each, unless the cache knows that there was one.
    ///
    /// @param path for messages
    ///
    /// Throws InputException when a row is malformed, or there is none.
    static RowSet checked(RowSource source, Path path, TokenCache cache) {
        String key = source.contentKey();
        OptionalInt known = cache.rows(key);
        int count = known.isPresent() ? known.getAsInt() : count(source, path);
        if (count == 0) throw new InputException("the dataset %s is empty; it needs at least one row".formatted(path));
        source.requireUnchanged();
        if (known.isEmpty()) cache.noteRows(key, count);
        return new RowSet(source::open, key, count, null, source::requireUnchanged);
    }

    private static int count(RowSource source, Path path) {
        try (RowReader rows = source.open()) {
            long count = 0;
            while (rows.next() != null) count++;
            if (count > Integer.MAX_VALUE - 8) {
                throw new InputException("%s has %d rows, which is more than one run takes; set dataset.split to a part"
                        .formatted(path, count));
            }
            return (int) count;
        }
    }

    /// Throws InputException when a file was written into since the rows were checked.
    void requireUnchanged() {
        check.run();
    }

    RowSet only(BitSet numbers) {
        return new RowSet(opener, contentKey, all, numbers, check);
    }

    RowSet without(BitSet numbers) {
        BitSet others = (BitSet) numbers.clone();
        others.flip(0, all);
        return only(others);
    }

    int size() {
        return members == null ? all : members.cardinality();
    }

    /// Whether the rows are in memory, and not in files.
    boolean isInMemory() {
        return contentKey == null;
    }

    /// Adds the name of the content, and which rows of it these are.
    void describe(ContentKey key) {
        String name = contentKey == null ? rowsInMemory() : contentKey;
        key.add(name, size(), members == null ? "all" : members.stream().asLongStream().reduce(17, (h, i) -> h * 31 + i));
    }

    private String rowsInMemory() {
        ContentKey key = new ContentKey();
        try (RowReader rows = opener.get()) {
            for (Row row = rows.next(); row != null; row = rows.next()) {
                key.add("row");
                row.values().forEach((column, value) -> key.add(column, json(value)));
            }
        }
        return key.hex();
    }

    private static String json(Object value) {
        try {
            return JSON.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new InputException("a row in memory has a value that JSON cannot hold (%s)".formatted(JsonProblem.of(e)), e);
        }
    }

    RowReader open() {
        RowReader rows = opener.get();
        return members == null ? rows : new RowReader() {
            private int number = -1;

            @Override
            public Row next() {
                Row row = rows.next();
                number++;
                while (row != null && !members.get(number)) {
                    row = rows.next();
                    number++;
                }
                return row;
            }

            @Override
            public void close() {
                rows.close();
            }
        };
    }

    Stream<Row> stream() {
        RowReader rows = open();
        return Stream.iterate(rows.next(), row -> row != null, row -> rows.next()).onClose(rows::close);
    }
}
