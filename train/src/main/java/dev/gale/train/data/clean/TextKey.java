package dev.gale.train.data.clean;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/// 127 bits of the SHA-256 of a text. Texts that differ in blanks only have the same key.
///
/// @param high odd, so that 0 means no key
/// @param low  the other half
public record TextKey(long high, long low) {
    /// The key of a text.
    public static TextKey of(String text) {
        try {
            byte[] words = text.strip().replaceAll("\\s+", " ").getBytes(StandardCharsets.UTF_8);
            ByteBuffer digest = ByteBuffer.wrap(MessageDigest.getInstance("SHA-256").digest(words));
            return new TextKey(digest.getLong() | 1, digest.getLong());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
