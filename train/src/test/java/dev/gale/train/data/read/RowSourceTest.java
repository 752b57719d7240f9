package dev.gale.train.data.read;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import dev.gale.train.data.Row;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RowSourceTest {
    private static final String LINES = "{\"text\": \"a\"}\n\n{\"text\": \"b\"}\n";

    @TempDir Path folder;

    private Path file(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, text);
    }

    private static List<Row> rows(ReadOptions options) {
        try (Stream<Row> rows = RowSource.of(options).stream()) {
            return rows.toList();
        }
    }

    private static List<Object> column(String name, ReadOptions options) {
        return rows(options).stream().map(row -> row.values().get(name)).toList();
    }

    private static List<Object> texts(Path path) {
        return column("text", ReadOptions.of(path));
    }

    private String refusal(Path path) {
        return refusal(ReadOptions.of(path));
    }

    private String refusal(ReadOptions options) {
        String message = assertThrows(InputException.class, () -> rows(options)).getMessage();
        assertEquals(1, message.lines().count(), message);
        return message.replace(folder + "/", "");
    }

    private static ReadOptions split(Path path, String split) {
        return new ReadOptions(path, Optional.empty(), DataFiles.NONE, split, Map.of(), Optional.empty(), SampleBy.LINE, 0);
    }

    @Test
    void anObjectMayGoOverSeveralLines() throws IOException {
        Path one = file("one.json", "{\n  \"text\": \"a\",\n  \"more\": {\"x\": 1}\n}\n");
        assertEquals(List.of("a"), texts(one));
        Path two = file("two.json", "{\n\"text\": \"a\"}\n{\"text\":\n \"b\"}");
        assertEquals(List.of("a", "b"), texts(two));
        assertEquals("two.json, line 3", rows(ReadOptions.of(two)).get(1).place().replace(folder + "/", ""));
        assertTrue(refusal(file("cut.jsonl", "{\"text\": \"a\n{\"text\": \"b\"}"))
                .startsWith("cut.jsonl, line 1 is not valid JSON"));
    }

    @Test
    void csvHasNamedColumnsQuotesAndValuesOverLines() throws IOException {
        Path csv = file("d.csv", "\uFEFFprompt,completion\r\n\"a, \"\"b\"\"\",\"line 1\nline 2\"\r\n\r\nx,\r\n");
        List<Row> rows = rows(ReadOptions.of(csv));
        assertEquals(Map.of("prompt", "a, \"b\"", "completion", "line 1\nline 2"), rows.get(0).values());
        assertEquals(Map.of("prompt", "x", "completion", ""), rows.get(1).values());
        assertTrue(rows.get(1).place().endsWith("d.csv, line 5"), rows.get(1).place());
        assertEquals(List.of("1"), column("b", ReadOptions.of(file("d.tsv", "a\tb\n0,5\t1\n"))));
        assertTrue(refusal(file("few.csv", "a,b\n1,2\n3\n"))
                .contains("line 3 has 1 values, but the first row names 2 columns"));
        assertTrue(refusal(file("many.csv", "a,b\n1,2,3\n")).contains("line 2 has 3 values"));
        assertTrue(refusal(file("open.csv", "a,b\n1,\"2\n3,4\n")).contains("is not valid CSV"));
        assertTrue(refusal(file("twice.csv", "a,a\n1,2\n")).contains("'a' twice"));
        assertEquals(List.of(), rows(ReadOptions.of(file("empty.csv", ""))));
    }

    @Test
    void errorsNameTheFirstLineOfARow() throws IOException {
        Path csv = file("lines.csv", "prompt,completion\n\"a\n\nb\",\"c\nd\"\n\n\"e\nf\",g\nh,i\n");
        assertEquals(List.of("2", "7", "9"), rows(ReadOptions.of(csv)).stream()
                .map(row -> row.place().replaceFirst(".*line ", "")).toList());
        try (RawRows raw = RawRows.open(ReadOptions.of(csv))) {
            assertEquals(List.of(2L, 7L, 9L), raw.next(9).stream().map(RawRow::line).toList());
        }
        assertTrue(refusal(file("few.csv", "a,b\n1,2\n\"3\n4\"\n")).contains("few.csv, line 3 has 1 values"));
        assertTrue(refusal(file("open.csv", "a,b\n1,\"2\n3\n4\n")).contains("open.csv, line 2 is not valid CSV"));
        String json = "[{\"text\":\n \"a\"},\n{\"text\":\n\n \"b\" 7}]";
        assertEquals("a.json, line 3 is not valid JSON (line 5, column 6: ", refusal(file("a.json", json)).substring(0, 52));
        assertTrue(refusal(file("b.json", "{\n\"text\": \"a\"}\n{\n\"text\": \"b\n\"}\n"))
                .startsWith("b.json, line 3 is not valid JSON (line 4, column "));
        assertTrue(refusal(file("c.json", "[\n7]")).startsWith("c.json, line 2 is not a JSON object"));
    }

    @Test
    void plainTextIsReadByLineParagraphOrDocument() throws IOException {
        Path text = file("t.txt", "one\r\ntwo\n\n \nthree\n");
        assertEquals(List.of("one", "two", "three"), texts(text));
        assertEquals(List.of("one\ntwo", "three"), column("text", by(text, SampleBy.PARAGRAPH)));
        assertEquals(List.of("one\ntwo\n\n \nthree"), column("text", by(text, SampleBy.DOCUMENT)));
    }

    private static ReadOptions by(Path path, SampleBy unit) {
        return new ReadOptions(path, Optional.empty(), DataFiles.NONE, "train", Map.of(), Optional.empty(), unit, 0);
    }

    private Path gzip(String name, byte[] content) throws IOException {
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(folder.resolve(name)))) {
            out.write(content);
        }
        return folder.resolve(name);
    }

    private static byte[] packed(String text) throws IOException {
        var bytes = new java.io.ByteArrayOutputStream();
        try (OutputStream out = new GZIPOutputStream(bytes)) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        }
        return bytes.toByteArray();
    }

    private Path zip(String name, Map<String, String> entries) throws IOException {
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(folder.resolve(name)))) {
            for (Map.Entry<String, String> entry : entries.entrySet()) {
                out.putNextEntry(new ZipEntry(entry.getKey()));
                out.write(entry.getValue().getBytes(StandardCharsets.UTF_8));
            }
        }
        return folder.resolve(name);
    }

    @Test
    void packedFilesAreReadWhateverTheirName() throws IOException {
        assertEquals(List.of("a", "b"), texts(gzip("d.jsonl.gz", LINES.getBytes(StandardCharsets.UTF_8))));
        assertEquals(List.of("a", "b"), texts(gzip("d.json", LINES.getBytes(StandardCharsets.UTF_8))));
        assertEquals(List.of("1"),
                column("x", ReadOptions.of(gzip("d.csv.gz", "x,y\n1,2\n".getBytes(StandardCharsets.UTF_8)))));
        Path zip = zip("d.zip", Map.of("x/a.jsonl", LINES, "x/b.csv", "text\nc\n", "README.md", "no data",
                "__MACOSX/x/a.jsonl", "?"));
        assertEquals(List.of("a", "b", "c"), texts(zip));
        assertTrue(rows(ReadOptions.of(zip)).getFirst().place().endsWith("d.zip!x/a.jsonl, line 1"));
        assertTrue(refusal(zip("no.zip", Map.of("README.md", "no data"))).contains("no.zip has no JSON"));
        byte[] whole = Files.readAllBytes(folder.resolve("d.jsonl.gz"));
        Files.write(folder.resolve("cut.jsonl.gz"), java.util.Arrays.copyOf(whole, whole.length - 12));
        assertTrue(refusal(folder.resolve("cut.jsonl.gz")).contains("cut.jsonl.gz cannot be read"));
        Files.write(folder.resolve("cut.zip"), java.util.Arrays.copyOf(Files.readAllBytes(zip), 100));
        assertTrue(refusal(folder.resolve("cut.zip")).contains("broken zip archive"));
    }

    @Test
    void badEncodingsAreNamedWithTheirLine() throws IOException {
        Files.write(folder.resolve("latin.json"), "[{\"text\": \"a\"},\n{\"text\": \"ä\"}]"
                .getBytes(StandardCharsets.ISO_8859_1));
        assertTrue(refusal(folder.resolve("latin.json")).startsWith("latin.json, line 2 is not UTF-8"));
        Files.write(folder.resolve("latin.csv"), "text\n\u00e4\n".getBytes(StandardCharsets.ISO_8859_1));
        assertTrue(refusal(folder.resolve("latin.csv")).startsWith("latin.csv, line 2 is not UTF-8"));
        for (byte[] wrong : new byte[][] {{(byte) 0xC0, (byte) 0x80}, {(byte) 0xED, (byte) 0xA0, (byte) 0x80},
                {(byte) 0xF5, (byte) 0x80, (byte) 0x80, (byte) 0x80}, {(byte) 0xE2, (byte) 0x82}, {(byte) 0x80}}) {
            Files.write(folder.resolve("wrong.txt"), wrong);
            assertTrue(refusal(folder.resolve("wrong.txt")).startsWith("wrong.txt, line 1 is not UTF-8"));
        }
        Files.write(folder.resolve("utf16.jsonl"), LINES.getBytes(StandardCharsets.UTF_16));
        assertTrue(refusal(folder.resolve("utf16.jsonl")).startsWith("utf16.jsonl is UTF-16"));
        Files.write(folder.resolve("nobom.jsonl"), LINES.getBytes(StandardCharsets.UTF_16LE));
        assertTrue(refusal(folder.resolve("nobom.jsonl")).contains("line 1 has a zero byte"));
    }

    @Test
    void whatIsMeantToFillMemoryIsRefused() throws IOException {
        byte[] begin = packed("{\"text\": \"a\"}\n{\"text\": \"");
        byte[] block = packed("x".repeat(1 << 26));
        Path endless = folder.resolve("endless.jsonl.gz");
        try (OutputStream out = Files.newOutputStream(endless)) {
            out.write(begin);
            for (int i = 0; i < 32; i++) out.write(block);                                 // a line of 2 GB
        }
        assertTrue(refusal(endless).startsWith("endless.jsonl.gz, line 2 is longer than 16 MB"));
        Path bomb = folder.resolve("bomb.jsonl.gz");
        byte[] blanks = packed("\n".repeat(1 << 26));
        try (OutputStream out = Files.newOutputStream(bomb)) {
            out.write(packed("{\"text\": \"a\"}\n"));
            for (int i = 0; i < 32; i++) out.write(blanks);
        }
        assertTrue(refusal(bomb).contains("as a zip bomb does"));
        String deep = "{\"text\": " + "[".repeat(100_000) + "]".repeat(100_000) + "}";
        assertTrue(refusal(file("deep.jsonl", deep)).startsWith("deep.jsonl, line 1 is not valid JSON"));
        String inArray = refusal(file("deep.json", "[\n" + deep + "]"));
        assertTrue(inArray.startsWith("deep.json, line 2") && inArray.contains("nested deeper than 256 levels"), inArray);
        String row = "{\"text\": \"" + "x".repeat(17 << 20) + "\"}";
        assertTrue(refusal(file("wide.json", "[{\"text\": \"a\"},\n" + row + "]")).contains("has a row of more than 16 MB"));
        assertTrue(refusal(file("wide.csv", "text\na\n\"" + "x".repeat(17 << 20) + "\"\n"))
                .contains("has a row of more than 16 MB"));
        assertTrue(refusal(file("many.json", "[" + "{".repeat(5))).contains("is not valid JSON"));
    }

    @Test
    void severalFilesAreOneDataset() throws IOException {
        file("data/a.jsonl", LINES);
        file("data/b.jsonl.txt", "no");
        file("data/deep/c.jsonl", "{\"text\": \"c\"}");
        assertEquals(List.of("a", "b"), texts(folder.resolve("data/*.jsonl")));
        assertEquals(List.of("a", "b", "c"), texts(folder.resolve("data/**/*.jsonl")));
        ReadOptions chosen = new ReadOptions(folder.resolve("data"), Optional.empty(),
                DataFiles.of(Map.of("train", List.of("deep/c.jsonl", "a.jsonl")), "data_files"), "train[1:]", Map.of(),
                        Optional.empty(), SampleBy.LINE, 0);
        assertEquals(List.of("a", "b"), texts0(chosen));
        assertTrue(refusal(folder.resolve("data/*.csv")).contains("has no file '*.csv'"));
        assertTrue(refusal(folder.resolve("absent")).contains("absent does not exist"));
    }

    private static List<Object> texts0(ReadOptions options) {
        return column("text", options);
    }

    @Test
    void aFolderOfTheHubHasConfigurationsAndSplits() throws IOException {
        file("hub/README.md", """
                ---
                license: mit
                configs:
                - config_name: main
                  default: true
                  data_files:
                  - split: train
                    path: main/train-*
                  - split: test
                    path: [main/test-a.jsonl, main/test-b.jsonl]
                - config_name: socratic
                  data_dir: socratic
                  data_files: "*.jsonl"
                ---
                # A dataset
                """);
        file("hub/main/train-00000-of-00002.jsonl", "{\"text\": \"a\"}");
        file("hub/main/train-00001-of-00002.jsonl", "{\"text\": \"b\"}");
        file("hub/main/test-a.jsonl", "{\"text\": \"c\"}");
        file("hub/main/test-b.jsonl", "{\"text\": \"d\"}");
        file("hub/socratic/x.jsonl", "{\"text\": \"s\"}");
        Path hub = folder.resolve("hub");
        assertEquals(List.of("a", "b"), texts(hub));
        assertEquals(List.of("c", "d"), texts0(split(hub, "test")));
        assertEquals(List.of("b", "c"), texts0(split(hub, "train[-1:] + test[:50%]")));
        ReadOptions socratic = new ReadOptions(hub, Optional.of("socratic"), DataFiles.NONE, "train", Map.of(),
                Optional.empty(), SampleBy.LINE, 0);
        assertEquals(List.of("s"), texts0(socratic));
        assertTrue(refusal(split(hub, "validation")).contains("has no split 'validation'; choose one of: "
                + "train, test"));
        assertTrue(refusal(new ReadOptions(hub, Optional.of("mian"), DataFiles.NONE, "train", Map.of(), Optional.empty(),
                SampleBy.LINE, 0))
                .contains("did you mean 'main'?"));
        file("hub/README.md", "---\nconfigs: [\n---\n");
        assertTrue(refusal(hub).contains("README.md is not YAML"));
        file("saved/state.json", "{}");
        file("saved/data-00000-of-00001.arrow", "ARROW1");
        assertTrue(refusal(folder.resolve("saved")).contains("data-00000-of-00001.arrow is no Arrow file that can be read"));
    }

    @Test
    void columnsGetTheNamesThatFormatsRead() throws IOException {
        Path data = file("d.jsonl", "{\"question\": \"q\", \"answer\": \"a\", \"prompt\": \"old\"}\n{\"question\": \"r\"}");
        ReadOptions options = new ReadOptions(data, Optional.empty(), DataFiles.NONE, "train",
                Map.of("prompt", "question", "completion", "answer"), Optional.empty(), SampleBy.LINE, 0);
        assertEquals(Map.of("prompt", "q", "completion", "a"), rows(options).get(0).values());
        assertEquals(Map.of("prompt", "r"), rows(options).get(1).values());
        assertTrue(refusal(new ReadOptions(data, Optional.empty(), DataFiles.NONE, "train", Map.of("prompt", "query"),
                Optional.empty(), SampleBy.LINE, 0)).contains("line 1 has no column 'query'; it has: question, answer, "
                        + "prompt"));
    }

    @Test
    void aNameStandsForContentAndOptions() throws IOException {
        Path data = file("d.jsonl", LINES);
        String key = RowSource.of(data).contentKey();
        assertEquals(key, RowSource.of(data).contentKey());
        assertTrue(!key.equals(RowSource.of(split(data, "train[:1]")).contentKey()));
        file("d.jsonl", LINES + " ");
        assertTrue(!key.equals(RowSource.of(data).contentKey()));
    }
}
