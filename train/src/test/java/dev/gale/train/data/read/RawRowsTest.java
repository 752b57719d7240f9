package dev.gale.train.data.read;

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
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RawRowsTest {
    @TempDir
    private Path folder;

    private List<String> rows(byte[] bytes) throws IOException {
        Path file = folder.resolve("in");
        Files.write(file, bytes);
        return rows(file);
    }

    private static List<String> rows(Path file) {
        List<String> rows = new ArrayList<>();
        try (RawRows source = RawRows.open(ReadOptions.of(file))) {
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
        assertTrue(e.getMessage().contains("line 1 is longer than 16 MB")
                || e.getMessage().contains("line 1 has a row of more"), e.getMessage());
    }

    @Test
    void rowsOfOtherKindsAreMadeIntoJson() throws IOException {
        Path csv = Files.writeString(folder.resolve("a.csv"), "q,n\n\"a, b\",1.50\nx,2\n");
        assertEquals(List.of("2 {\"q\":\"a, b\",\"n\":\"1.50\"}", "3 {\"q\":\"x\",\"n\":\"2\"}"), rows(csv));
        Path text = Files.writeString(folder.resolve("b.txt"), "one\n\nthree\n");
        assertEquals(List.of("1 {\"text\":\"one\"}", "3 {\"text\":\"three\"}"), rows(text));
        Path zip = folder.resolve("c.zip");
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip))) {
            for (String name : List.of("1.jsonl", "2.jsonl")) {
                out.putNextEntry(new ZipEntry(name));
                out.write("\n{\"a\": 1.50}\n".getBytes(StandardCharsets.UTF_8));
            }
        }
        assertEquals(List.of("1 {\"a\":1.50}", "2 {\"a\":1.50}"), rows(zip), "numbered over all files");
        Path hub = Files.createDirectories(folder.resolve("hub/data"));
        Files.writeString(hub.resolve("train-00000-of-00001.jsonl"), "{\"a\":1}\n");
        Files.writeString(hub.resolve("test-00000-of-00001.jsonl"), "{\"a\":2}\n");
        assertEquals(List.of("1 {\"a\":1}"), rows(hub.getParent()));
    }

    @Test
    void linesThatAreNoJsonAreRows() throws IOException {
        Path file = Files.writeString(folder.resolve("d.jsonl"), "{\"a\":1}\n{\"a\": \n{\"a\":3}\n");
        try (RawRows source = RawRows.open(ReadOptions.of(file))) {
            List<RawRow> rows = source.next(10);
            assertEquals(3, rows.size());
            InputException e = assertThrows(InputException.class, rows.get(1)::values);
            assertTrue(e.getMessage().contains("d.jsonl, line 2 is not valid JSON"), e.getMessage());
        }
    }

    @Test
    void malformedFilesAreOneSentence() {
        for (String wrong : List.of("[{\"a\":1}", "[{\"a\":1}] x", "[{\"a\":1} {\"a\":2}]", "[1]", "[{\"a\":")) {
            InputException e = assertThrows(InputException.class, () -> rows(wrong), wrong);
            assertEquals(1, e.getMessage().lines().count());
        }
        assertThrows(InputException.class, () -> rows(new byte[] {'{', '"', 'a', '"', ':', '"', (byte) 0xC3, '"', '}'}));
        assertThrows(InputException.class, () -> RawRows.open(ReadOptions.of(folder.resolve("none"))));
    }
}
