package dev.gale.train.data.clean;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import dev.gale.train.data.read.ReadOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MixerTest {
    @TempDir
    private Path folder;

    private Mixer.Part part(String name, int rows, double share) throws IOException {
        Path file = folder.resolve(name);
        Files.write(file, IntStream.range(0, rows).mapToObj(i -> "{\"%s\": %d}".formatted(name, i)).toList());
        return new Mixer.Part(file.toString(), ReadOptions.of(file), share);
    }

    private Mixer.Part at(String name) {
        return new Mixer.Part(name, ReadOptions.of(folder.resolve(name)), 1);
    }

    private List<String> mix(long rows, long seed, Mixer.Part... parts) throws IOException {
        Path output = folder.resolve("out.jsonl");
        Files.deleteIfExists(output);
        Mixer.run(List.of(parts), output, rows, seed);
        return Files.readAllLines(output);
    }

    private static List<String> of(List<String> lines, String name) {
        return lines.stream().filter(line -> line.contains('"' + name + '"')).toList();
    }

    @Test
    void sharesAreThoseAskedFor() throws IOException {
        Mixer.Part a = part("a", 900, 0.75);
        Mixer.Part b = part("b", 1000, 0.25);
        List<String> mixed = mix(0, 1, a, b);
        assertEquals(1200, mixed.size());
        assertEquals(900, of(mixed, "a").size());
        assertEquals(300, of(mixed, "b").stream().distinct().count());
        assertEquals(Files.readAllLines(a.rows().path()), of(mixed, "a"), "rows of one file keep their order");
        int early = of(mixed.subList(0, 600), "a").size();
        assertEquals(450, early, 40, "the files are not mixed");
        long fromSecondHalf = of(mixed, "b").stream().filter(line -> Integer.parseInt(line.replaceAll("\\D", "")) >= 500)
                .count();
        assertEquals(150, fromSecondHalf, 35, "the choice is not even");
        assertEquals(mixed, mix(0, 1, a, b));
        assertTrue(!mixed.equals(mix(0, 2, a, b)));
    }

    @Test
    void smallFilesAreRepeatedEvenly() throws IOException {
        List<String> mixed = mix(100, 1, part("a", 1000, 3), part("b", 10, 1));
        assertEquals(75, of(mixed, "a").size());
        Map<String, Long> times = of(mixed, "b").stream()
                .collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
        assertEquals(10, times.size());
        times.values().forEach(count -> assertTrue(count == 2 || count == 3, times.toString()));
    }

    @Test
    void partsAreReadFromText() {
        assertEquals(new Mixer.Part("C:/a.jsonl", ReadOptions.of(Path.of("C:/a.jsonl")), 0.5),
                Mixer.Part.parse("C:/a.jsonl:0.5", ReadOptions::of));
        for (String wrong : List.of("a.jsonl", "a.jsonl:", "a.jsonl:0", "a.jsonl:-1", ":1", "a:x")) {
            assertThrows(InputException.class, () -> Mixer.Part.parse(wrong, ReadOptions::of), wrong);
        }
    }

    @Test
    void mistakesLeaveNothing() throws IOException {
        Mixer.Part a = part("a", 10, 1);
        Mixer.Part empty = part("empty", 0, 1);
        Files.writeString(folder.resolve("bad"), "{");
        for (Mixer.Part wrong : List.of(empty, a, at("bad"), at("none"))) {
            InputException e = assertThrows(InputException.class, () -> mix(0, 1, a, wrong));
            assertEquals(1, e.getMessage().lines().count());
            assertTrue(!Files.exists(folder.resolve("out.jsonl")));
        }
    }
}
