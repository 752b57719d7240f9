package dev.gale.bench.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.ops.KernelTime;
import dev.gale.tensor.ops.OpCount;
import dev.gale.tensor.ops.Roofline;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ProfileTableTest {
    /// Two steps: of an operation bound by arithmetic (1 ms) that takes 4 ms a step, and one bound by traffic (0.5 ms) that
    /// takes 1 ms.
    @Test
    void kernelsStandBeneathTheirOperationByTheStep() {
        List<KernelTime> times = List.of(new KernelTime("add", "add", "8", 4, 2_000_000),
                new KernelTime("matmul", "finish", "", 2, 2_000_000), new KernelTime("matmul", "tiles", "7", 1, 3_000_000),
                new KernelTime("matmul", "tiles", "7", 1, 3_000_000));
        Map<String, OpCount> counts = Map.of("matmul", new OpCount("matmul", 1, 1_000_000_000L, 8),
                "add", new OpCount("add", 2, 8, 500_000_000L));
        List<String> rows = new ProfileTable(times, 2, counts, new Roofline(1e12, 1e12)).text().lines().skip(1).toList();
        assertEquals(6, rows.size());
        assertTrue(rows.get(0).matches("matmul +1 +4\\.0000 +80\\.0% .* 1\\.0000 +25\\.0%"), rows.get(0));
        assertTrue(rows.get(1).matches("  tiles  7 +1 +3\\.0000 +60\\.0%"), rows.get(1));
        assertTrue(rows.get(2).matches("  finish +1 +1\\.0000 +20\\.0%"), rows.get(2));
        assertTrue(rows.get(3).matches("add +2 +1\\.0000 +20\\.0% .* 0\\.5000 +50\\.0%"), rows.get(3));
        assertTrue(rows.get(4).matches("  add  8 +2 +1\\.0000 +20\\.0%"), rows.get(4));
        assertTrue(rows.get(5).matches("all +4 +5\\.0000 +100\\.0% +1\\.5000 +30\\.0%"), rows.get(5));
    }

    @Test
    void nothingMeasuredHasNoFraction() {
        String text = new ProfileTable(List.of(new KernelTime("add", "add", "8", 1, 0)), 1,
                Map.of("add", new OpCount("add", 1, 8, 8)), new Roofline(1e12, 1e12)).text();
        assertTrue(text.lines().skip(1).findFirst().orElseThrow().endsWith("-"), text);
    }
}
