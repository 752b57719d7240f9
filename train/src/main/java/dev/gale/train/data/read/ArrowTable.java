package dev.gale.train.data.read;

import dev.gale.tensor.InputException;
import dev.gale.train.data.Row;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.time.DateTimeException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Rows of an Arrow file: a stream of messages, or one between the marks of the file format. The file is mapped; lists and
/// structs are lists and objects, times are text.
///
/// Source: Apache Arrow, "Serialization and Interprocess Communication", and `format/Message.fbs`.
final class ArrowTable implements TableReader {
    private static final byte[] FILE_MARK = {'A', 'R', 'R', 'O', 'W', '1', 0, 0};
    private static final int SCHEMA = 1;
    private static final int BATCH = 3;

    private final DataFile file;
    private final LocalFile local;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment bytes;
    private final List<ArrowField> fields;
    private long next;
    private List<ArrowColumn> columns = List.of();
    private long rows;
    private long row;
    private long index = -1;

    ArrowTable(DataFile file) throws IOException {
        this.file = file;
        this.local = LocalFile.of(file);
        try (FileChannel channel = FileChannel.open(local.path(), StandardOpenOption.READ)) {
            this.bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            boolean marked = bytes.byteSize() > 8 && bytes.asSlice(0, 8).mismatch(MemorySegment.ofArray(FILE_MARK)) < 0;
            next = marked ? 8 : 0;
            FlatTable message = message();
            if (message == null || message.byteAt(1) != SCHEMA) throw broken(file, null);
            this.fields = ArrowField.of(message.table(2), file);
            requireColumns();
        } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
            close();
            throw broken(file, e);
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    /// Without a value that takes bytes nothing would say where the rows end.
    private void requireColumns() {
        if (fields.stream().noneMatch(ArrowField::takesBytes)) {
            throw new InputException("%s has no column with values; make or download it again".formatted(file));
        }
        if (fields.stream().map(ArrowField::name).distinct().count() == fields.size()) return;
        throw new InputException("%s has two columns of one name; rename one".formatted(file));
    }

    private static InputException broken(DataFile file, RuntimeException cause) {
        return new InputException("%s is no Arrow file that can be read, or is cut off; make or download it again"
                .formatted(file), cause);
    }

    /// The description of the next message, null at the end; what it describes begins at `next`.
    private FlatTable message() {
        if (next == bytes.byteSize()) return null;
        int size = bytes.get(FlatTable.INT, next);
        next += 4;
        if (size == -1) {
            size = bytes.get(FlatTable.INT, next);
            next += 4;
        }
        if (size == 0) return null;
        FlatTable message = FlatTable.root(bytes.asSlice(next, size));
        next += size;
        return message;
    }

    /// Goes to the next batch; false after the last one.
    ///
    /// @param read whether its values will be asked for
    private boolean advance(boolean read) {
        for (FlatTable message = message(); message != null; message = message()) {
            MemorySegment body = bytes.asSlice(next, message.longAt(3));
            next += body.byteSize();
            if (message.byteAt(1) != BATCH) continue;
            FlatTable batch = message.table(2);
            if (batch.has(3)) throw ArrowField.refused(file, "compressed values");
            rows = batch.longAt(0);
            row = 0;
            if (rows < 0 || rows > Integer.MAX_VALUE) throw new IndexOutOfBoundsException("rows");
            ArrowColumn.Parts parts = new ArrowColumn.Parts(batch, body);
            if (read) columns = fields.stream().map(field -> new ArrowColumn(field, parts)).toList();
            if (columns.stream().anyMatch(column -> column.length() != rows)) throw new IndexOutOfBoundsException("rows");
            return true;
        }
        return false;
    }

    @Override
    public Row next() {
        try {
            while (row == rows) {
                if (!advance(true)) return null;
            }
            Map<String, Object> values = LinkedHashMap.newLinkedHashMap(columns.size());
            ArrowColumn.Room room = new ArrowColumn.Room();
            for (int i = 0; i < columns.size(); i++) values.put(fields.get(i).name(), columns.get(i).value(row, room));
            row++;
            index++;
            return new Row(values, "%s, row %d".formatted(file, index + 1));
        } catch (ArrowColumn.TooLong e) {
            throw new InputException("%s, row %d has more than %d MB; split it or remove it"
                    .formatted(file, index + 2, TextBytes.LONGEST_ROW >> 20), e);
        } catch (IndexOutOfBoundsException | IllegalArgumentException | ArithmeticException | DateTimeException e) {
            throw broken(file, e);
        }
    }

    static long count(DataFile file) throws IOException {
        try (ArrowTable table = new ArrowTable(file)) {
            long count = 0;
            while (table.advance(false)) count += table.rows;
            return count;
        } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
            throw broken(file, e);
        }
    }

    @Override
    public long index() {
        return index;
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) arena.close();
        local.close();
    }
}
