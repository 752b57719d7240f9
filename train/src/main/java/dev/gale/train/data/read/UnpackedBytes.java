package dev.gale.train.data.read;

import dev.gale.tensor.InputException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;

/// The bytes of a packed file; refused when they become so many more than were packed that the file must be meant to fill
/// memory or disk.
final class UnpackedBytes extends FilterInputStream {
    private static final long ALWAYS_FINE = 256L << 20;
    private static final int RATIO = 200;

    private final String file;
    private final long most;
    private long count;

    /// @param packed number of bytes before unpacking
    UnpackedBytes(InputStream in, String file, long packed) {
        super(in);
        this.file = file;
        this.most = Math.max(ALWAYS_FINE, RATIO * packed);
    }

    @Override
    public int read() throws IOException {
        int next = super.read();
        if (next >= 0) add(1);
        return next;
    }

    @Override
    public int read(byte[] buffer, int from, int length) throws IOException {
        int read = super.read(buffer, from, length);
        if (read > 0) add(read);
        return read;
    }

    @Override
    public boolean markSupported() {
        return false;
    }

    private void add(int bytes) {
        count += bytes;
        if (count <= most) return;
        throw new InputException(("%s unpacks to more than %d times its size, as a zip bomb does; unpack it yourself if "
                + "that is right")
                .formatted(file, RATIO));
    }
}
