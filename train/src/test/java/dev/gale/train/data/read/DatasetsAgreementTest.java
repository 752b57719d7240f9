package dev.gale.train.data.read;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.tensor.InputException;
import dev.gale.train.testing.TestFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Slices of splits, and the files that folders' splits are made of, as Hugging Face datasets 5.0.1 finds them.
class DatasetsAgreementTest {
    @TempDir Path folder;

    private static JsonNode expected(String part) throws IOException {
        return new ObjectMapper().readTree(TestFiles.resource("data/datasets.json").toFile()).get(part);
    }

    @Test
    void slicesAreTheSameRows() throws IOException {
        int compared = 0;
        for (JsonNode slice : expected("slices")) {
            String text = slice.get(0).textValue();
            long rows = slice.get(1).longValue();
            SplitSlice parsed = SplitSlice.parse(text).getFirst();
            if (slice.get(2).isNull()) {
                assertThrows(InputException.class, () -> parsed.bounds(rows), text);
            } else {
                assertArrayEquals(new long[] {slice.get(2).longValue(), slice.get(3).longValue()}, parsed.bounds(rows),
                        text + " of " + rows);
            }
            compared++;
        }
        assertEquals(80, compared);
        for (String wrong : List.of("", "train[", "train[:]x", "train[:101%]", "train[a:b]", "train+", "train[:10%](floor)")) {
            assertThrows(InputException.class, () -> SplitSlice.parse(wrong), wrong);
        }
    }

    @Test
    void foldersHaveTheSameSplits() throws IOException {
        int number = 0;
        for (JsonNode entry : expected("folders")) {
            Path root = folder.resolve("f" + number++);
            for (JsonNode file : entry.get(0)) {
                Path path = root.resolve(file.textValue());
                Files.createDirectories(path.getParent());
                Files.writeString(path, "{\"text\": \"a\"}\n");
            }
            Map<String, List<String>> found = new TreeMap<>();
            DatasetFolder.splits(root, Optional.empty(), DataFiles.NONE).forEach((split, files) ->
                    found.put(split, files.stream().map(file -> root.relativize(file).toString()).toList()));
            Map<String, List<String>> want = new TreeMap<>();
            entry.get(1).forEachEntry((split, files) -> {
                List<String> names = new ArrayList<>();
                files.forEach(file -> names.add(file.textValue()));
                want.put(split, names);
            });
            assertEquals(want, found, entry.get(0).toString());
        }
        assertTrue(number >= 16);
    }
}
