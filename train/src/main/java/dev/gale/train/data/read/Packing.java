package dev.gale.train.data.read;

import io.airlift.compress.zstd.ZstdInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Locale;
import java.util.zip.GZIPInputStream;

/// How the bytes of a file are packed, which their beginning tells.
enum Packing {
    NONE, GZIP, ZSTD;

    private static final List<String> ENDINGS = List.of(".gz", ".zst");
    private static final int[] GZIP_MARK = {0x1F, 0x8B};
    private static final int[] ZSTD_MARK = {0x28, 0xB5, 0x2F, 0xFD};

    /// @param in goes on where it is; it can be marked
    static Packing of(InputStream in) throws IOException {
        in.mark(ZSTD_MARK.length);
        byte[] begin = in.readNBytes(ZSTD_MARK.length);
        in.reset();
        boolean skippable = startsWith(begin, new int[] {begin.length == 0 ? 0 : begin[0] & 0xF | 0x50, 0x2A, 0x4D, 0x18});
        return startsWith(begin, GZIP_MARK) ? GZIP : skippable || startsWith(begin, ZSTD_MARK) ? ZSTD : NONE;
    }

    private static boolean startsWith(byte[] bytes, int[] mark) {
        if (bytes.length < mark.length) return false;
        for (int i = 0; i < mark.length; i++) {
            if ((bytes[i] & 0xFF) != mark[i]) return false;
        }
        return true;
    }

    /// The unpacked bytes.
    InputStream unpacked(InputStream in) throws IOException {
        return switch (this) {
            case NONE -> in;
            case GZIP -> new GZIPInputStream(in, 1 << 16);
            case ZSTD -> new Zstd(in);
        };
    }

    /// A name in lower case, without the ending of a packed file.
    static String plainName(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        for (String ending : ENDINGS) {
            if (lower.endsWith(ending)) return lower.substring(0, lower.length() - ending.length());
        }
        return lower;
    }

    /// Frames one after the other. What the library complains about in its own way is an IOException here.
    private static final class Zstd extends FilterInputStream {
        Zstd(InputStream in) {
            super(new ZstdInputStream(new ZstdFrames(in)));
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            int count = read(one, 0, 1);
            return count < 0 ? count : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] buffer, int from, int length) throws IOException {
            try {
                return super.read(buffer, from, length);
            } catch (RuntimeException e) {
                throw new IOException(String.valueOf(e.getMessage()).contains("indow size")
                        ? "its window is larger than 8 MB: pack it without --long or --ultra" : "it is no whole zstd file", e);
            }
        }
    }
}
