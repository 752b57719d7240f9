package dev.gale.bench.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import dev.gale.tensor.DType;
import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.tensor.ops.TensorOps;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DeviceCsvTest {
    private record Named(String name, String backend) implements ComputeDevice {
        @Override
        public boolean isGpu() {
            return true;
        }

        @Override
        public long memoryBytes() {
            return 0;
        }

        @Override
        public List<String> capabilities() {
            return List.of();
        }

        @Override
        public ComputeDevice computingIn(DType activationType) {
            throw new UnsupportedOperationException();
        }

        @Override
        public TensorOps open() {
            throw new UnsupportedOperationException();
        }

        @Override
        public TensorOps plan() {
            throw new UnsupportedOperationException();
        }
    }

    private static final ComputeDevice DEVICE = new Named("Corp, Model 1", "CUDA");

    @Test
    void rowsHaveAHeaderAndAsManyCells(@TempDir Path dir) throws IOException {
        Path file = dir.resolve("new/gpu.csv");
        DeviceCsv csv = new DeviceCsv(file, List.of("what", "ms"));
        csv.add(DEVICE, List.of("a, b", 1.5));
        csv.add(DEVICE, List.of("c", 1e-9));
        List<String[]> rows = Files.readAllLines(file).stream().map(line -> line.split(",", -1)).toList();
        assertEquals(3, rows.size());
        assertEquals(List.of("date", "device", "driver", "backend", "tornadovm", "jdk", "commit", "products", "options",
                "what", "ms"),
                Arrays.asList(rows.getFirst()));
        for (String[] row : rows) assertEquals(11, row.length);
        assertEquals("Corp  Model 1", rows.get(1)[1]);
        assertEquals("auto", rows.get(1)[7]);
        assertEquals("a  b", rows.get(1)[9]);
        assertEquals(1e-9, Double.parseDouble(rows.get(2)[10]));
        assertThrows(IllegalArgumentException.class, () -> csv.add(DEVICE, List.of("alone")));
    }

    @Test
    void aFileWithOtherColumnsIsLeftAlone(@TempDir Path dir) throws IOException {
        Path file = dir.resolve("gpu.csv");
        Files.writeString(file, "date,other\n");
        DeviceCsv csv = new DeviceCsv(file, List.of("ms"));
        String message = assertThrows(InputException.class, () -> csv.add(DEVICE, List.of(1.0))).getMessage();
        assertTrue(message.contains("has the columns date,other, not date,device"), message);
        assertEquals("date,other\n", Files.readString(file));
    }

    @Test
    void jarsKnowTheirCommit() {
        assertEquals("1a2b3c4", Provenance.commitOf("0.1.0 (1a2b3c4)"));
        assertEquals("1a2b3c4+", Provenance.commitOf("0.1.0 (1a2b3c4-dirty)"));
        assertEquals("unknown", Provenance.commitOf("0.1.0"));
        assertEquals("unknown", Provenance.commitOf(null));
    }
}
