package dev.gale.train.data.read;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.io.InputStream;

/// The bytes of a text file on their way to a parser, without a byte order mark: checks that they are UTF-8, and that no
/// row has more than `LONGEST_ROW` of them. What is wrong is said with its line.
final class TextBytes extends InputStream {
    /// Bytes of a row at most: some millions of tokens, and what memory must always suffice for.
    static final int LONGEST_ROW = 16 << 20;

    private final InputStream in;
    private final String file;
    private final byte[] one = new byte[1];
    private long line = 1;
    private long rowLine = 1;
    private long rowBytes;
    private int missing;
    private int lowest = 0x80;
    private int highest = 0xBF;

    private TextBytes(InputStream in, String file) {
        this.in = in;
        this.file = file;
    }

    /// Throws InputException when the text is UTF-16 or UTF-32.
    static TextBytes open(InputStream in, String file) throws IOException {
        TextBytes text = new TextBytes(in, file);
        in.mark(4);
        byte[] begin = in.readNBytes(4);
        in.reset();
        if (startsWith(begin, 0xEF, 0xBB, 0xBF)) in.skipNBytes(3);
        else if (startsWith(begin, 0xFF, 0xFE) || startsWith(begin, 0xFE, 0xFF) || startsWith(begin, 0, 0, 0xFE, 0xFF)) {
            throw new InputException("%s is UTF-16 or UTF-32 text; save the file as UTF-8".formatted(file));
        }
        return text;
    }

    private static boolean startsWith(byte[] bytes, int... prefix) {
        if (bytes.length < prefix.length) return false;
        for (int i = 0; i < prefix.length; i++) {
            if ((bytes[i] & 0xFF) != prefix[i]) return false;
        }
        return true;
    }

    /// A row begins in this line, and has all its bytes before it.
    void beginRow(long inLine) {
        rowLine = inLine;
        rowBytes = 0;
    }

    @Override
    public int read() throws IOException {
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
    }

    @Override
    public int read(byte[] buffer, int from, int length) throws IOException {
        int count = in.read(buffer, from, length);
        if (count < 0) {
            if (missing > 0) throw notUtf8();
            return count;
        }
        rowBytes += count;
        if (rowBytes > LONGEST_ROW + (1L << 16)) {
            throw new InputException("%s, line %d has a row of more than %d MB; split it or remove it"
                    .formatted(file, rowLine, LONGEST_ROW >> 20));
        }
        for (int i = from; i < from + count; i++) check(buffer[i]);
        return count;
    }

    /// Source: The Unicode Standard 16, table 3-7, "Well-Formed UTF-8 Byte Sequences".
    private void check(byte next) {
        int value = next & 0xFF;
        if (missing > 0) {
            if (value < lowest || value > highest) throw notUtf8();
            missing--;
            lowest = 0x80;
            highest = 0xBF;
        } else if (value < 0x80) {
            if (value == '\n') line++;
            else if (value == 0) throw zeroByte();
        } else if (value < 0xC2 || value > 0xF4) {
            throw notUtf8();
        } else {
            missing = value < 0xE0 ? 1 : value < 0xF0 ? 2 : 3;
            if (value == 0xE0) lowest = 0xA0;
            else if (value == 0xED) highest = 0x9F;
            else if (value == 0xF0) lowest = 0x90;
            else if (value == 0xF4) highest = 0x8F;
        }
    }

    private InputException zeroByte() {
        return new InputException("%s, line %d has a zero byte; is it a text file?".formatted(file, line));
    }

    private InputException notUtf8() {
        return new InputException("%s, line %d is not UTF-8 text; save the file as UTF-8".formatted(file, line));
    }

    @Override
    public void close() throws IOException {
        in.close();
    }
}
