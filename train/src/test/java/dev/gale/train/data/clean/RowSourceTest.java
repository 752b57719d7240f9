package dev.gale.train.data.clean;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RowSourceTest {
    @TempDir
    private Path folder;

    private List<String> rows(byte[] bytes) throws IOException {
        Path file = folder.resolve("in");
        Files.write(file, bytes);
        List<String> rows = new ArrayList<>();
        try (RowSource source = RowSource.open(file)) {
            for (List<RawRow> next = source.next(2); !next.isEmpty(); next = source.next(2)) {
                next.forEach(row -> rows.add(row.line() + " " + row.values()));
            }
        }
        return rows;
    }

    private List<String> rows(String text) throws IOException {
        return rows(text.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void linesAndArraysAreRows() throws IOException {
        List<String> lines = List.of("1 {\"a\":1}", "3 {\"a\":2}", "4 {\"a\":3}");
        assertEquals(lines, rows("\uFEFF{\"a\":1}\r\n\n{\"a\":2}\n{\"a\":3}"));
        assertEquals(lines, rows("\uFEFF [{\"a\":1},\n\n{\"a\":2},\n{\"a\":3}]\n"));
        assertEquals(List.of(), rows("\n \n"));
        String many = "{\"a\":\"" + "x".repeat(100_000) + "\"}\n";
        assertEquals(5, rows(many.repeat(5)).size());
        assertEquals(2000, rows("[" + "{\"a\":1},".repeat(1999) + "{\"a\":1.50}]").size());
    }

    @Test
    void gzipIsUnpacked() throws IOException {
        Path file = folder.resolve("x.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
            out.write("{\"a\":1}\n{\"a\":2}\n".getBytes(StandardCharsets.UTF_8));
        }
        assertEquals(List.of("1 {\"a\":1}", "2 {\"a\":2}"), rows(Files.readAllBytes(file)));
    }

    @Test
    void endlessLinesAreRefusedBeforeTheyFillMemory() throws IOException {
        Path file = folder.resolve("bomb.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
            out.write("{\"a\":\"".getBytes(StandardCharsets.UTF_8));
            byte[] block = new byte[1 << 20];
            Arrays.fill(block, (byte) 'x');
            for (int i = 0; i < 200; i++) out.write(block);
        }
        InputException e = assertThrows(InputException.class, () -> rows(Files.readAllBytes(file)));
        assertTrue(e.getMessage().contains("line 1 has more than 64 MiB"), e.getMessage());
    }

    @Test
    void malformedFilesAreOneSentence() {
        for (String wrong : List.of("[{\"a\":1}", "[{\"a\":1}] x", "[{\"a\":1} {\"a\":2}]", "[1]", "[{\"a\":")) {
            InputException e = assertThrows(InputException.class, () -> rows(wrong), wrong);
            assertEquals(1, e.getMessage().lines().count());
        }
        assertThrows(InputException.class, () -> rows(new byte[] {'{', '"', 'a', '"', ':', '"', (byte) 0xC3, '"', '}'}));
        assertThrows(InputException.class, () -> RowSource.open(folder.resolve("none")));
    }
}
