package dev.gale.train.data.read;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.tensor.InputException;
import dev.gale.train.data.Row;
import dev.gale.train.testing.TestFiles;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Files that pyarrow 25 and `save_to_disk` of Hugging Face datasets 5.0.1 wrote, with the rows that those read.
class ArrowTableTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir Path folder;

    private static Path resource(String name) {
        return TestFiles.resource("data/arrow/" + name);
    }

    private static ReadOptions options(Path path, String split, String where) {
        return new ReadOptions(path, Optional.empty(), DataFiles.NONE, split, Map.of(), Optional.ofNullable(where),
                SampleBy.LINE, 0);
    }

    private static List<Row> rows(ReadOptions options) {
        try (Stream<Row> rows = RowSource.of(options).stream()) {
            return rows.toList();
        }
    }

    /// As JSON text and back, so that only what it says is compared.
    private static JsonNode json(List<Row> rows) throws IOException {
        return JSON.readTree(JSON.writeValueAsBytes(rows.stream().map(Row::values).toList()));
    }

    private static JsonNode expected(String name) throws IOException {
        return JSON.readTree(resource(name).toFile());
    }

    private static String refusal(ReadOptions options) {
        String message = assertThrows(InputException.class, () -> rows(options)).getMessage();
        assertEquals(1, message.lines().count(), message);
        return message;
    }

    @Test
    void savedDatasetsHaveTheirRowsAndSplits() throws IOException {
        assertEquals(expected("saved.json"), json(rows(options(resource("saved"), "test", null))));
        assertEquals(expected("saved.json"), json(rows(ReadOptions.of(resource("saved/test")))), "one split is train");
        List<Row> train = rows(ReadOptions.of(resource("saved")));
        assertEquals(12, train.size());
        assertTrue(train.get(4).place().endsWith("data-00001-of-00003.arrow, row 1"), train.get(4).place());
        assertEquals(json(train.subList(3, 9)), json(rows(options(resource("saved"), "train[25%:75%]", null))));
        assertEquals(expected("saved.json"), json(rows(ReadOptions.of(resource("saved/test/data-00000-of-00001.arrow")))));
        assertTrue(refusal(options(resource("saved"), "dev", null)).endsWith("has no split 'dev'; choose one of: train, test"));
    }

    @Test
    void allTypesThatRowsHaveAreRead() throws IOException {
        JsonNode types = expected("types.json");
        for (String name : List.of("types.arrow", "types-file.arrow")) {
            JsonNode found = json(rows(ReadOptions.of(resource(name))));
            assertEquals(types.size(), found.size(), name);
            for (int i = 0; i < types.size(); i++) {
                assertEquals(types.get(i).size(), found.get(i).size());
                for (var column : types.get(i).properties()) {
                    assertEquals(column.getValue(), found.get(i).get(column.getKey()), name + " " + i + " " + column.getKey());
                }
            }
        }
        assertEquals(3, Tables.count(DataFile.of(resource("types.arrow")).getFirst(), SampleBy.LINE));
    }

    @Test
    void conditionsAndPackedFilesWork() throws IOException {
        assertEquals(List.of(-3L), rows(options(resource("saved"), "test", "n < 0")).stream().map(row -> row.values().get("n"))
                .toList());
        Path gz = folder.resolve("x.arrow.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(gz))) {
            Files.copy(resource("types.arrow"), out);
        }
        assertEquals(expected("types.json"), json(rows(ReadOptions.of(gz))));
        Path zip = folder.resolve("x.zip");
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip))) {
            for (String name : List.of("data-00000-of-00001.arrow", "dataset_info.json", "state.json")) {
                out.putNextEntry(new ZipEntry("saved/" + name));
                Files.copy(resource("saved/test/" + name), out);
            }
        }
        assertEquals(expected("saved.json"), json(rows(ReadOptions.of(zip))));
    }

    @Test
    void whatIsNotReadIsSaidWithWhatToDo() {
        assertTrue(refusal(ReadOptions.of(resource("dictionary.arrow"))).contains("has a dictionary in column 'kind'"));
        assertTrue(refusal(ReadOptions.of(resource("compressed.arrow"))).contains("has compressed values"));
        String binary = refusal(ReadOptions.of(resource("binary.arrow")));
        assertTrue(binary.contains(
                "has the type binary in column 'image.bytes', which is not read; write it with to_parquet or to_json"),
                binary);
    }

    @Test
    void foldersThatWereNotSavedSoAreOneSentence() throws IOException {
        Path saved = Files.createDirectories(folder.resolve("saved"));
        Files.writeString(saved.resolve("dataset_dict.json"), "{\"splits\": [\"train\"]}");
        assertTrue(refusal(ReadOptions.of(saved)).contains("state.json cannot be read"));
        Files.createDirectories(saved.resolve("train"));
        for (String state : List.of("{", "{}", "{\"_data_files\": [{\"filename\": \"../../x.arrow\"}]}",
                "{\"_data_files\": [{\"filename\": \"x.arrow\"}]}")) {
            Files.writeString(saved.resolve("train/state.json"), state);
            assertTrue(refusal(ReadOptions.of(saved)).contains("state.json"), state);
        }
        Files.writeString(saved.resolve("dataset_dict.json"), "{\"splits\": [\"..\"]}");
        assertTrue(refusal(ReadOptions.of(saved)).contains("'..' is no name"));
    }

    /// Damage gives rows or one sentence, never anything else.
    @Test
    void damagedFilesAreOneSentence() throws IOException {
        byte[] whole = Files.readAllBytes(resource("saved/test/data-00000-of-00001.arrow"));
        Path file = folder.resolve("x.arrow");
        int refused = 0;
        for (int length = 0; length < whole.length; length += 7) {
            Files.write(file, Arrays.copyOf(whole, length));
            refused += readsOrRefuses(file);
        }
        assertTrue(refused > 0.9 * whole.length / 7, refused + " of the cut files were refused");
        Random random = new Random(1);
        for (int i = 0; i < 3000; i++) {
            byte[] damaged = whole.clone();
            for (int k = 0; k < 3; k++) damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
            Files.write(file, damaged);
            readsOrRefuses(file);
        }
    }

    private static int readsOrRefuses(Path file) {
        try {
            rows(ReadOptions.of(file));
            return 0;
        } catch (InputException e) {
            assertEquals(1, e.getMessage().lines().count(), e.getMessage());
            return 1;
        }
    }
}
