package dev.gale.train.hub;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Optional;

/// What the bytes of a file must add up to: the SHA-256 of a large file, or the id that git gives a small one, which is the
/// SHA-1 of `blob <size>\0` and its bytes. It also names the file in a cache.
///
/// @param hex lower-case digits, 64 of SHA-256 or 40 of git
record Checksum(String hex) {
    private static final int SHA256_DIGITS = 64;

    /// A checksum from its digits; empty when they are none.
    static Optional<Checksum> of(String text) {
        String digits = text == null ? "" : text.toLowerCase(Locale.ROOT);
        return digits.matches("[0-9a-f]{40}|[0-9a-f]{64}") ? Optional.of(new Checksum(digits)) : Optional.empty();
    }

    boolean matches(Path file) throws IOException {
        MessageDigest digest = digest();
        if (hex.length() != SHA256_DIGITS) digest.update(
                ("blob " + Files.size(file) + "\0").getBytes(StandardCharsets.US_ASCII));
        byte[] buffer = new byte[1 << 16];
        try (InputStream in = Files.newInputStream(file)) {
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) digest.update(buffer, 0, read);
        }
        return HexFormat.of().formatHex(digest.digest()).equals(hex);
    }

    private MessageDigest digest() {
        try {
            return MessageDigest.getInstance(hex.length() == SHA256_DIGITS ? "SHA-256" : "SHA-1");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
