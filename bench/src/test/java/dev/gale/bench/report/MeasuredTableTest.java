package dev.gale.bench.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.NoSuchElementException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MeasuredTableTest {
    private static final Path ROOT = Path.of(System.getProperty("gale.root"));

    @Test
    void theReadmeSaysWhatWasMeasured() throws IOException {
        String readme = Files.readString(ROOT.resolve("README.md"));
        assertEquals(MeasuredTable.update(readme, ROOT.resolve("bench/results")), readme, "run `./gale bench table`");
    }

    @Test
    void aMissingMeasurementIsNamed() {
        String message = assertThrows(NoSuchElementException.class, () -> new MeasuredTable(List.of()).markdown()).getMessage();
        assertTrue(message.contains("lora step"), message);
    }

    @Test
    void rowsComeBack(@TempDir Path dir) {
        BenchCsv csv = new BenchCsv(dir.resolve("new/results.csv"));
        csv.add("sgemm", "1x2x3", 2, 123.456, "GFLOP/s");
        csv.add("sgemm", "1x2x3", 1, 1e-3, "GFLOP/s");
        List<BenchCsv.Row> rows = csv.rows();
        assertEquals(2, rows.size());
        assertEquals("sgemm", rows.getFirst().op());
        assertEquals(123.5, rows.getFirst().value());
        assertEquals(1e-3, rows.getLast().value());
        assertEquals(BenchCsv.machine(), rows.getLast().machine());
    }
}
