package dev.gale.bench.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// The README's table of steps on a GPU, made from the latest rows of bench/results/gpu.csv: Gale with cuBLAS, Gale with every
/// kernel in Java, and the peer on the same device.
final class DeviceTable {
    static final String BEGIN = "<!-- measured: steps on a GPU, written by `gale bench table` -->\n";
    private static final String PEER = "Transformers + PEFT";
    private static final String JAVA = "mma";

    private final List<Map<String, String>> rows;

    private DeviceTable(List<Map<String, String>> rows) {
        this.rows = rows;
    }

    static DeviceTable read(Path csv) throws IOException {
        List<String> lines = Files.readAllLines(csv);
        String[] columns = lines.getFirst().split(",");
        List<Map<String, String>> rows = new ArrayList<>();
        for (String line : lines.subList(1, lines.size())) {
            String[] cells = line.split(",", -1);
            Map<String, String> row = new LinkedHashMap<>();
            for (int i = 0; i < columns.length; i++) row.put(columns[i], cells[i]);
            rows.add(row);
        }
        return new DeviceTable(rows);
    }

    /// One line for each kind of work that Gale and the peer have done on the device that was measured last.
    String markdown() {
        String device = rows.getLast().get("device");
        StringBuilder table = new StringBuilder(String.format(Locale.ROOT, """
                | LoRA step, r 16 on seven projections, bf16, %s | Gale | all kernels in Java | Transformers + PEFT | |
                |---|---|---|---|---|
                """, device));
        Map<String, Map<String, String>> gale = latest(device, "auto");
        Map<String, Map<String, String>> java = latest(device, JAVA);
        Map<String, Map<String, String>> peer = latest(device, PEER);
        gale.forEach((work, row) -> {
            if (peer.containsKey(work)) table.append(line(work, row, java.get(work), peer.get(work)));
        });
        return table.toString();
    }

    private static String line(String work, Map<String, String> gale, Map<String, String> java, Map<String, String> peer) {
        return String.format(Locale.ROOT, "| %s | %.0f ms, %.1f GiB | %s | %.0f ms, %.1f GiB | %.2f× |%n", work,
                ms(gale), gib(gale), java == null ? "" : String.format(Locale.ROOT, "%.0f ms", ms(java)), ms(peer), gib(peer),
                ms(peer) / ms(gale));
    }

    private static double ms(Map<String, String> row) {
        return Double.parseDouble(row.get("step_ms"));
    }

    private static double gib(Map<String, String> row) {
        return Double.parseDouble(row.get("peak_bytes")) / (1L << 30);
    }

    /// The last row of each kind of work, in the order in which it came first. Rows of models with other numbers of layers do
    /// not count.
    private Map<String, Map<String, String>> latest(String device, String products) {
        Map<String, Map<String, String>> latest = new LinkedHashMap<>();
        for (Map<String, String> row : rows) {
            boolean whole = row.get("layers").equals(row.get("shape").equals("8b") ? "32" : "16");
            if (!whole || !row.get("device").equals(device) || !row.get("products").equals(products)) continue;
            String checkpointing = switch (row.get("checkpointing")) {
                case "layer" -> "checkpointing";
                case "selective" -> "checkpointing all but attention";
                default -> "no checkpointing";
            };
            String weights = row.get("quantization").equals("none") ? "" : ", " + row.get("quantization");
            if (!row.get("settings").equals("-")) weights += ", " + row.get("settings");
            latest.put("%s Llama shape, %s × %s, %s%s".formatted(row.get("shape").toUpperCase(Locale.ROOT), row.get("batch"),
                    row.get("seq"), checkpointing, weights), row);
        }
        return latest;
    }
}
