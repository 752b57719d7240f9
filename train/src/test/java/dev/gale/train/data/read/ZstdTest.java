package dev.gale.train.data.read;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import dev.gale.train.data.Row;
import dev.gale.train.testing.TestFiles;
import io.airlift.compress.zstd.ZstdOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Files packed with zstd: what zstd 1.5 wrote, and what the library writes.
class ZstdTest {
    @TempDir Path folder;

    private static List<Object> texts(Path path) {
        try (Stream<Row> rows = RowSource.of(path).stream()) {
            return rows.map(row -> row.values().get("text")).toList();
        }
    }

    private static String refusal(Path path) {
        String message = assertThrows(InputException.class, () -> texts(path)).getMessage();
        assertEquals(1, message.lines().count(), message);
        return message;
    }

    private Path pack(String name, String text) throws IOException {
        try (OutputStream out = new ZstdOutputStream(Files.newOutputStream(folder.resolve(name)))) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        }
        return folder.resolve(name);
    }

    @Test
    void aFileMayBeginWithAFrameToSkip() throws IOException {
        byte[] packed = Files.readAllBytes(pack("p.zst", "{\"text\": \"a\"}\n"));
        ByteBuffer bytes = ByteBuffer.allocate(12 + packed.length).order(ByteOrder.LITTLE_ENDIAN).putInt(0x184D2A5E).putInt(4)
                .putInt(7).put(packed);
        assertEquals(List.of("a"), texts(Files.write(folder.resolve("s.jsonl.zst"), bytes.array())));
    }

    @Test
    void framesFollowEachOther() {
        assertEquals(IntStream.range(0, 1000).mapToObj(i -> "row " + i).toList(),
                texts(TestFiles.resource("data/frames.jsonl.zst")));
    }

    @Test
    void namesAndFoldersAreReadAsWithoutPacking() throws IOException {
        assertEquals(List.of("a", "b"), texts(pack("d.csv.zst", "text,n\na,1\nb,2\n")));
        assertEquals(List.of("a"), texts(pack("whatever.bin", "{\"text\": \"a\"}\n")));
        Path hub = Files.createDirectories(folder.resolve("hub"));
        Files.copy(pack("t.jsonl.zst", "{\"text\": \"t\"}\n"), hub.resolve("train.jsonl.zst"));
        Files.copy(pack("v.jsonl.zst", "{\"text\": \"v\"}\n"), hub.resolve("test.jsonl.zst"));
        assertEquals(List.of("t"), texts(hub));
        Path zip = folder.resolve("z.zip");
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip))) {
            out.putNextEntry(new ZipEntry("t.jsonl.zst"));
            Files.copy(hub.resolve("train.jsonl.zst"), out);
        }
        assertEquals(List.of("t"), texts(zip));
    }

    @Test
    void bombsAreRefused() throws IOException {
        int blocks = 300 << 3;
        byte[] row = "{\"text\": \"a\"}".getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(9 + row.length + 4 * blocks).order(ByteOrder.LITTLE_ENDIAN).putInt(0xFD2FB528)
                .put((byte) 0).put((byte) (10 << 3)).put((byte) (row.length << 3)).putShort((short) 0).put(row);
        for (int i = 1; i <= blocks; i++) bytes.putInt((1 << 17) << 3 | 1 << 1 | (i == blocks ? 1 : 0) | '\n' << 24);
        Path bomb = folder.resolve("bomb.jsonl.zst");
        Files.write(bomb, bytes.array());
        String message = refusal(bomb);
        assertTrue(message.contains("unpacks to more than 200 times its size"), message);
    }

    @Test
    void windowsThatAreTooLargeAreSaid() {
        assertTrue(refusal(TestFiles.resource("data/long.jsonl.zst"))
                .contains("its window is larger than 8 MB: pack it without --long"));
    }

    @Test
    void damagedFilesAreOneSentence() throws IOException {
        byte[] whole = Files.readAllBytes(TestFiles.resource("data/frames.jsonl.zst"));
        Path file = folder.resolve("cut.jsonl.zst");
        for (int length = 5; length < whole.length; length += 13) {
            Files.write(file, Arrays.copyOf(whole, length));
            try {
                assertTrue(texts(file).size() < 1000);                       // cut between two frames
            } catch (InputException e) {
                assertTrue(e.getMessage().contains("cannot be read") || e.getMessage().contains("not valid JSON"),
                        e.getMessage());
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
            }
        }
        byte[] changed = whole.clone();
        changed[60] ^= 0x55;
        Files.write(file, changed);
        refusal(file);
    }
}
