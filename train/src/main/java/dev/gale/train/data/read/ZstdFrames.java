package dev.gale.train.data.read;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;

/// The frames of a zstd file one after the other, without the skippable ones, which the library does not know: pzstd writes
/// one before each frame, others put an index at the end.
///
/// Source: RFC 8878, sections 3.1.1 and 3.1.2.
final class ZstdFrames extends InputStream {
    private static final int FRAME = 0xFD2FB528;
    private static final int SKIPPABLE = 0x184D2A50;
    private static final int[] DICTIONARY_BYTES = {0, 1, 2, 4};
    private static final int[] SIZE_BYTES = {0, 2, 4, 8};

    private final InputStream in;
    private byte[] head = new byte[0];
    private int given;
    private long body;
    private boolean inFrame;
    private boolean lastBlock;
    private boolean checksum;

    ZstdFrames(InputStream in) {
        this.in = in;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
    }

    @Override
    public int read(byte[] buffer, int from, int length) throws IOException {
        if (length == 0) return 0;
        while (given == head.length && body == 0) {
            if (!advance()) return -1;
        }
        if (given < head.length) {
            int count = Math.min(length, head.length - given);
            System.arraycopy(head, given, buffer, from, count);
            given += count;
            return count;
        }
        int count = in.read(buffer, from, (int) Math.min(length, body));
        if (count < 0) throw new EOFException("it is cut off");
        body -= count;
        return count;
    }

    /// Goes to the next header; false at the end.
    private boolean advance() throws IOException {
        given = 0;
        head = new byte[0];
        if (inFrame && !lastBlock) {
            block();
        } else if (inFrame) {
            inFrame = false;
            if (checksum) head = bytes(4);
        } else {
            byte[] magic = in.readNBytes(4);
            if (magic.length == 0) return false;
            frame(magic);
        }
        return true;
    }

    private void block() throws IOException {
        head = bytes(3);
        int header = (int) number(head);
        lastBlock = (header & 1) == 1;
        int type = header >> 1 & 3;
        body = type == 1 ? 1 : header >> 3;                     // one byte that is repeated, else as many as it says
    }

    private void frame(byte[] magic) throws IOException {
        int number = (int) number(magic);
        if ((number & ~0xF) == SKIPPABLE) {
            in.skipNBytes(number(bytes(4)));
            return;
        }
        if (magic.length < 4 || number != FRAME) throw new IOException("something else follows what is packed");
        byte[] descriptor = bytes(1);
        boolean single = (descriptor[0] >> 5 & 1) == 1;
        int sizeFlag = descriptor[0] >> 6 & 3;
        int size = single && sizeFlag == 0 ? 1 : SIZE_BYTES[sizeFlag];
        byte[] rest = bytes((single ? 0 : 1) + DICTIONARY_BYTES[descriptor[0] & 3] + size);
        head = new byte[5 + rest.length];
        System.arraycopy(magic, 0, head, 0, 4);
        head[4] = descriptor[0];
        System.arraycopy(rest, 0, head, 5, rest.length);
        checksum = (descriptor[0] >> 2 & 1) == 1;
        inFrame = true;
        lastBlock = false;
    }

    private byte[] bytes(int count) throws IOException {
        byte[] bytes = in.readNBytes(count);
        if (bytes.length < count) throw new EOFException("it is cut off");
        return bytes;
    }

    /// Little endian, without a sign.
    private static long number(byte[] bytes) {
        long number = 0;
        for (int i = bytes.length - 1; i >= 0; i--) number = number << 8 | bytes[i] & 0xFF;
        return number;
    }

    @Override
    public void close() throws IOException {
        in.close();
    }
}
