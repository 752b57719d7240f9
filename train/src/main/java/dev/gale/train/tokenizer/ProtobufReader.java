package dev.gale.train.tokenizer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/// Fields of a message in Protocol Buffers' wire format, one after the other; what nobody asks for is skipped.
///
/// Source: https://protobuf.dev/programming-guides/encoding
final class ProtobufReader {
    private static final int VARINT = 0;
    private static final int FIXED64 = 1;
    private static final int BYTES = 2;
    private static final int FIXED32 = 5;

    private final ByteBuffer in;
    private int wireType;

    ProtobufReader(ByteBuffer in) {
        this.in = in.slice().order(ByteOrder.LITTLE_ENDIAN);
    }

    /// Number of the next field, 0 at the end.
    int next() throws IOException {
        if (!in.hasRemaining()) return 0;
        long key = varint();
        wireType = (int) (key & 7);
        long field = key >>> 3;
        if (field < 1 || field > 0x1FFF_FFFF) throw malformed();
        return (int) field;
    }

    int intValue() throws IOException {
        require(VARINT);
        return (int) varint();
    }

    boolean boolValue() throws IOException {
        require(VARINT);
        return varint() != 0;
    }

    float floatValue() throws IOException {
        require(FIXED32);
        requireBytes(4);
        return in.getFloat();
    }

    ByteBuffer bytes() throws IOException {
        require(BYTES);
        long length = varint();
        requireBytes(length);
        ByteBuffer part = in.slice(in.position(), (int) length);
        in.position(in.position() + (int) length);
        return part;
    }

    String text() throws IOException {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(bytes()).toString();
        } catch (CharacterCodingException e) {
            throw new IOException("a text in it is not UTF-8", e);
        }
    }

    ProtobufReader message() throws IOException {
        return new ProtobufReader(bytes());
    }

    void skip() throws IOException {
        switch (wireType) {
            case VARINT -> varint();
            case FIXED64 -> advance(8);
            case BYTES -> bytes();
            case FIXED32 -> advance(4);
            default -> throw malformed();
        }
    }

    private void advance(int length) throws IOException {
        requireBytes(length);
        in.position(in.position() + length);
    }

    private long varint() throws IOException {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            requireBytes(1);
            byte b = in.get();
            value |= (long) (b & 0x7F) << shift;
            if (b >= 0) return value;
        }
        throw malformed();
    }

    private void require(int type) throws IOException {
        if (wireType != type) throw malformed();
    }

    private void requireBytes(long length) throws IOException {
        if (length < 0 || length > in.remaining()) throw malformed();
    }

    private static IOException malformed() {
        return new IOException("its Protocol Buffers message is malformed or cut off");
    }
}
