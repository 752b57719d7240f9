package dev.gale.train.data.read;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.util.Arrays;

/// Splits a text at its line feeds. A carriage return before one belongs to it.
final class TextLines {
    private final TextBytes in;
    private final String file;
    private final byte[] buffer = new byte[1 << 16];
    private byte[] line = new byte[1 << 12];
    private int next;
    private int filled;
    private int length;
    private long number;

    TextLines(TextBytes in, String file) {
        this.in = in;
        this.file = file;
    }

    /// Goes to the next line; false after the last one.
    boolean advance() throws IOException {
        length = 0;
        number++;
        boolean any = false;
        in.beginRow(number);
        while (true) {
            if (next == filled) {
                filled = Math.max(0, in.read(buffer, 0, buffer.length));
                next = 0;
                if (filled == 0) break;
            }
            any = true;
            int end = next;
            while (end < filled && buffer[end] != '\n') end++;
            append(end);
            next = end + 1;
            if (end < filled) break;
            next = end;
        }
        if (length > 0 && line[length - 1] == '\r') length--;
        return any;
    }

    private void append(int end) {
        int count = end - next;
        if (length + count > TextBytes.LONGEST_ROW) {
            throw new InputException("%s, line %d is longer than %d MB; split it or remove it"
                    .formatted(file, number, TextBytes.LONGEST_ROW >> 20));
        }
        if (length + count > line.length) {
            line = Arrays.copyOf(line, Math.min(TextBytes.LONGEST_ROW, Math.max(length + count, 2 * line.length)));
        }
        System.arraycopy(buffer, next, line, length, count);
        length += count;
    }

    /// The bytes of the line are the first `length()`; they change with the next line.
    byte[] bytes() {
        return line;
    }

    int length() {
        return length;
    }

    boolean isBlank() {
        for (int i = 0; i < length; i++) {
            if (line[i] < 0 || !Character.isWhitespace(line[i])) return false;
        }
        return true;
    }

    /// From 1.
    long number() {
        return number;
    }
}
