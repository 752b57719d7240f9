package dev.gale.train.data.read;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import dev.gale.train.data.Row;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DuckDbTest {
    @TempDir Path folder;

    private Path parquet(String name, String query) throws SQLException {
        Path file = folder.resolve(name);
        try (Connection connection = DriverManager.getConnection("jdbc:duckdb:");
             Statement statement = connection.createStatement()) {
            statement.execute("COPY (%s) TO '%s' (FORMAT parquet, ROW_GROUP_SIZE 2048)".formatted(query, file));
        }
        return file;
    }

    private static List<Row> rows(Path path, String split, String where) {
        ReadOptions options = new ReadOptions(path, Optional.empty(), DataFiles.NONE, split, Map.of(),
                Optional.ofNullable(where), SampleBy.LINE, 0);
        try (Stream<Row> rows = RowSource.of(options).stream()) {
            return rows.toList();
        }
    }

    private static List<Object> column(String name, List<Row> rows) {
        return rows.stream().map(row -> row.values().get(name)).toList();
    }

    private String refusal(Path path, String where) {
        String message = assertThrows(InputException.class, () -> rows(path, "train", where)).getMessage();
        assertEquals(1, message.lines().count(), message);
        return message.replace(folder + "/", "");
    }

    @Test
    void parquetRowsAreWhatJsonWouldHave() throws SQLException {
        Path file = parquet("d.parquet", """
                SELECT 'it''s "ä"' AS text, 7 AS n, 0.5::DOUBLE AS x, true AS label, NULL::VARCHAR AS nothing, \
                DATE '2024-02-03' AS day,
                [{'role': 'user', 'content': 'hi', 'name': NULL}, \
                {'role': 'assistant', 'content': NULL, 'name': 'b'}] AS messages""");
        Map<String, Object> row = rows(file, "train", null).getFirst().values();
        assertEquals(List.of("text", "n", "x", "label", "nothing", "day", "messages"), List.copyOf(row.keySet()));
        assertEquals(Arrays.asList("it's \"ä\"", 7, 0.5, true, null, "2024-02-03"), row.values().stream().limit(6).toList());
        List<?> messages = (List<?>) row.get("messages");
        assertEquals(Map.of("role", "user", "content", "hi"), messages.get(0));
        assertEquals(List.of("role", "content", "name"), List.copyOf(((Map<?, ?>) messages.get(1)).keySet()));
    }

    @Test
    void parquetKeepsItsOrderIsSlicedAndFiltered() throws SQLException, IOException {
        Path file = parquet("d.parquet", "SELECT i, 'row ' || i AS text FROM range(10000) t(i)");
        List<Row> all = rows(file, "train", null);
        for (int i = 0; i < 10000; i++) assertEquals(i, all.get(i).values().get("i"));
        assertTrue(all.get(41).place().endsWith("d.parquet, row 42"), all.get(41).place());
        assertEquals(List.of(7000, 9998), column("i", rows(file, "train", "i IN (12, 7000, 9998) AND length(text) = 8")));
        assertEquals(List.of(7000), column("i", rows(file, "train[50%:-10]", "i IN (12, 7000, 9998)")));
        Path wide = parquet("wide.parquet",
                "SELECT repeat('x', CASE WHEN i = 2 THEN 17000000 ELSE 5 END) AS text FROM range(4) t(i)");
        assertEquals("wide.parquet has a row of more than 16 MB behind row 2; split it or remove it", refusal(wide, null));
        Path packed = folder.resolve("packed.parquet.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(packed))) {
            Files.copy(file, out);
        }
        assertEquals(10000, rows(packed, "train", null).size());
        Path blob = Files.copy(file, Files.createDirectories(folder.resolve("blobs")).resolve("0123abcd"));
        Path link = Files.createSymbolicLink(Files.createDirectories(folder.resolve("snapshot")).resolve("train.parquet"),
                Path.of("../blobs").resolve(blob.getFileName()));
        assertEquals(10000, rows(link.getParent(), "train", null).size(), "as a cache of the hub has it");
        Files.write(folder.resolve("cut.parquet"), Arrays.copyOf(Files.readAllBytes(file), 500));
        assertTrue(refusal(folder.resolve("cut.parquet"), null).startsWith("cut.parquet is no Parquet file that can be read"));
        assertTrue(refusal(folder.resolve("cut.parquet"), "i > 1")
                .startsWith("cut.parquet is no Parquet file that can be read"));
    }

    @Test
    void aConditionFiltersEveryKindOfFileAndLeavesTheRowsAsTheyAre() throws IOException {
        String lines = "{\"output\": \"short\", \"score\": 1}\n\n{\"output\": \"quite a bit longer than twenty\", "
                + "\"score\": 2.50, \"day\": \"2024-05-01\"}\n";
        Path jsonl = Files.writeString(folder.resolve("d.jsonl"), lines);
        List<Row> kept = rows(jsonl, "train", "length(output) > 20");
        assertEquals(1, kept.size());
        assertEquals("2024-05-01", kept.getFirst().values().get("day"));
        assertTrue(kept.getFirst().place().endsWith("line 3"));
        assertEquals(1, rows(jsonl, "train", "day >= DATE '2024-01-01'").size());
        assertEquals(2, rows(jsonl, "train", "score >= 1 -- all of them").size());
        Path csv = Files.writeString(folder.resolve("d.csv"), "output,score\n\"a \"\"b\"\",\nc\",7.00\nx,8\n\"\",9\n");
        assertEquals(List.of("7.00"), column("score", rows(csv, "train", "score < 8")));
        assertEquals(List.of("8", "9"), column("score", rows(csv, "train", "score >= 8")));
        Path text = Files.writeString(folder.resolve("d.txt"), "one\n\nthree\n");
        assertEquals(List.of("three"), column("text", rows(text, "train", "text LIKE 'th%'")));
        Path array = Files.writeString(folder.resolve("d.json"),
                "[{\"label\": true, \"t\": \"a\"}, {\"label\": false, \"t\": \"b\"}, {\"t\": \"c\"}]");
        assertEquals(List.of("a"), column("t", rows(array, "train", "label")));
        assertEquals(List.of("b"), column("t", rows(array, "train[1:]", "NOT label")));
    }

    @Test
    void manyRowsKeepTheirOrder() throws IOException {
        StringBuilder lines = new StringBuilder();
        StringBuilder csv = new StringBuilder("i,t\n");
        for (int i = 0; i < 60_000; i++) {
            lines.append("{\"i\": ").append(i).append(", \"t\": \"").append("x".repeat(i % 90)).append("\"}\n");
            csv.append(i).append(',').append("y".repeat(i % 90)).append('\n');
        }
        List<Row> kept = rows(Files.writeString(folder.resolve("many.jsonl"), lines), "train",
                "length(t) = 77 OR i % 1000 = 0");
        List<Row> same = rows(Files.writeString(folder.resolve("many.csv"), csv), "train", "length(t) = 77 OR i % 1000 = 0");
        int next = 0;
        for (int i = 0; i < 60_000; i++) {
            if (i % 90 != 77 && i % 1000 != 0) continue;
            assertEquals(i, kept.get(next).values().get("i"));
            assertEquals(String.valueOf(i), same.get(next++).values().get("i"));
        }
        assertEquals(next, kept.size());
        assertEquals(next, same.size());
    }

    @Test
    void aWrongConditionIsNamed() throws IOException {
        Path jsonl = Files.writeString(folder.resolve("d.jsonl"), "{\"output\": \"a\"}\n");
        assertTrue(refusal(jsonl, "length(outptu) > 20").startsWith("the condition 'length(outptu) > 20' does not work "
                + "(Binder Error"));
        assertTrue(refusal(jsonl, "length(output").contains("does not work (Parser Error"));
        assertTrue(refusal(jsonl, " ").contains("the condition is empty"));
    }

    @Test
    void aConditionSeesNothingElse() throws IOException {
        Path secret = Files.writeString(folder.resolve("secret.txt"), "secret");
        Path jsonl = Files.writeString(folder.resolve("d.jsonl"), "{\"output\": \"a\"}\n");
        String reading = "(SELECT content FROM read_text('%s')) = 'secret'".formatted(secret);
        assertTrue(refusal(jsonl, reading).contains("Permission Error"), refusal(jsonl, reading));
        refusal(jsonl, "true) FROM range(1); COPY (SELECT 1) TO '%s'; SELECT (true".formatted(folder.resolve("written.csv")));
        assertFalse(Files.exists(folder.resolve("written.csv")));
        assertTrue(refusal(jsonl, "true) FROM range(1); SET enable_external_access=true; SELECT (true")
                .contains("does not work"));
    }
}
