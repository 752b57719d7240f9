package dev.gale.train.data.read;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/// A name for all that something depends on: SHA-256 over the parts, each with its length before it.
public final class ContentKey {
    private final MessageDigest digest = sha256();

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /// Adds what the objects say of themselves.
    public ContentKey add(Object... parts) {
        for (Object part : parts) {
            byte[] bytes = String.valueOf(part).getBytes(StandardCharsets.UTF_8);
            digest.update("%d:".formatted(bytes.length).getBytes(StandardCharsets.US_ASCII));
            digest.update(bytes);
        }
        return this;
    }

    /// Adds the bytes of a file.
    public ContentKey addFile(Path file) {
        MessageDigest content = sha256();
        byte[] buffer = new byte[1 << 18];
        try (InputStream in = Files.newInputStream(file)) {
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) content.update(buffer, 0, count);
        } catch (IOException e) {
            throw new InputException("%s cannot be read (%s)".formatted(file, e.getMessage()), e);
        }
        return add(HexFormat.of().formatHex(content.digest()));
    }

    /// 64 hexadecimal digits; nothing can be added any more.
    public String hex() {
        return HexFormat.of().formatHex(digest.digest());
    }
}
