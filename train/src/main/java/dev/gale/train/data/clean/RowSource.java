package dev.gale.train.data.clean;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.gale.nn.JsonProblem;
import dev.gale.tensor.InputException;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;

/// The rows of a file one after the other, however many there are: JSON lines or a JSON array, gzip or not. Memory is that of a
/// few rows. The only place of the data tools that knows how files hold rows.
public final class RowSource implements AutoCloseable {
    private static final int LONGEST_ROW = 64 << 20;
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES).build();

    private final Path file;
    private final InputStream in;
    private final byte[] buffer = new byte[1 << 16];
    private int position;
    private int limit;
    private long line;
    private JsonParser array;
    private boolean ended;

    private RowSource(Path file, InputStream in) {
        this.file = file;
        this.in = in;
    }

    /// Opens a file.
    ///
    /// Throws InputException when it is missing or cannot be read.
    public static RowSource open(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new InputException("the dataset %s does not exist; give the path of a JSON or JSONL file".formatted(file));
        }
        try {
            RowSource source = new RowSource(file, unpacked(Files.newInputStream(file)));
            source.begin();
            return source;
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    private static InputException unreadable(Path file, IOException e) {
        return new InputException("the dataset %s cannot be read (%s)".formatted(file, e.getMessage()), e);
    }

    private static InputStream unpacked(InputStream plain) throws IOException {
        InputStream in = new BufferedInputStream(plain, 1 << 16);
        in.mark(2);
        boolean gzip = in.read() == 0x1f && in.read() == 0x8b;
        in.reset();
        return gzip ? new GZIPInputStream(in, 1 << 16) : in;
    }

    private void begin() throws IOException {
        fill();
        if (limit >= 3 && buffer[0] == (byte) 0xEF && buffer[1] == (byte) 0xBB && buffer[2] == (byte) 0xBF) position = 3;
        int first = position;
        while (first < limit && Character.isWhitespace(buffer[first])) first++;
        if (first < limit && buffer[first] == '[') {
            array = JSON.createParser(new SequenceInputStream(
                    new ByteArrayInputStream(buffer, position, limit - position), in));
            array.nextToken();
        }
    }

    private boolean fill() throws IOException {
        position = 0;
        limit = Math.max(0, in.readNBytes(buffer, 0, buffer.length));
        return limit > 0;
    }

    /// The next rows, at most so many; none at the end.
    ///
    /// Throws InputException when the file is malformed where rows cannot be told apart any more, or a row has more than 64 MiB.
    public List<RawRow> next(int count) {
        List<RawRow> rows = new ArrayList<>();
        try {
            for (RawRow row = nextRow(); row != null; row = rows.size() < count ? nextRow() : null) rows.add(row);
        } catch (JsonProcessingException e) {
            throw new InputException("%s is not valid JSON (%s); correct the file".formatted(file, JsonProblem.where(e)), e);
        } catch (IOException e) {
            throw unreadable(file, e);
        }
        return rows;
    }

    private RawRow nextRow() throws IOException {
        if (array != null) return ended ? null : nextOfArray();
        while (true) {
            byte[] bytes = nextLine();
            if (bytes == null) return null;
            line++;
            if (!isBlank(bytes)) return new RawRow(file, line, bytes);
        }
    }

    private RawRow nextOfArray() throws IOException {
        JsonToken token = array.nextToken();
        if (token == JsonToken.END_ARRAY) {
            if (array.nextToken() != null) throw new InputException(file + ": something follows the array; correct the file");
            ended = true;
            return null;
        }
        if (token == null) throw new InputException(file + ": the array has no end; the file is cut off, get it again");
        long at = array.currentTokenLocation().getLineNr();
        JsonNode node = array.readValueAsTree();
        return new RawRow(file, at, JSON.writeValueAsBytes(node));
    }

    /// Bytes up to the next line feed, null at the end.
    private byte[] nextLine() throws IOException {
        ByteArrayOutputStream begun = null;
        while (true) {
            if (position == limit && !fill()) return begun == null ? null : begun.toByteArray();
            int end = position;
            while (end < limit && buffer[end] != '\n') end++;
            if (begun == null) begun = new ByteArrayOutputStream(end - position);
            begun.write(buffer, position, end - position);
            if (begun.size() > LONGEST_ROW) {
                throw new InputException("%s, line %d has more than %d MiB; is it a JSONL file?"
                        .formatted(file, line + 1, LONGEST_ROW >> 20));
            }
            boolean whole = end < limit;
            position = whole ? end + 1 : end;
            if (whole) return begun.toByteArray();
        }
    }

    private static boolean isBlank(byte[] bytes) {
        for (byte b : bytes) {
            if (!Character.isWhitespace(b)) return false;
        }
        return true;
    }

    @Override
    public void close() {
        try {
            in.close();
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }
}
