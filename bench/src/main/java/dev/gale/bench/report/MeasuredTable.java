package dev.gale.bench.report;

import dev.gale.bench.report.BenchCsv.Row;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;

/// The README's tables of measurements, made from the latest rows in bench/results.
public final class MeasuredTable {
    private static final String BEGIN = "<!-- measured: written by `gale bench table` -->\n";
    private static final String END = "<!-- end -->";
    private static final String STEP = "llama-135m lora-r16 1x512";
    private static final String SGEMM = "1536x2048x2048";

    private final List<Row> rows;

    MeasuredTable(List<Row> rows) {
        this.rows = rows;
    }

    /// Replaces the table in the README of a checkout.
    static void write(Path root) throws IOException {
        Path readme = root.resolve("README.md");
        Files.writeString(readme, update(Files.readString(readme), root.resolve("bench/results")));
    }

    /// The README with its tables of the measurements in a folder.
    static String update(String readme, Path results) throws IOException {
        String cpu = new MeasuredTable(new BenchCsv(results.resolve("cpu.csv")).rows()).markdown();
        return replaced(replaced(readme, BEGIN, cpu), DeviceTable.BEGIN, DeviceTable.read(results.resolve("gpu.csv"))
                .markdown());
    }

    private static String replaced(String readme, String mark, String table) {
        int begin = readme.indexOf(mark);
        int end = readme.indexOf(END, begin);
        if (begin < 0 || end < 0) throw new IllegalArgumentException("the README has no place for the table: " + mark + END);
        return readme.substring(0, begin + mark.length()) + table + readme.substring(end);
    }

    String markdown() {
        Row speed = last("lora step", STEP, "tokens/s");
        double peerSpeed = last("lora step: Transformers + PEFT", STEP, "tokens/s").value();
        double memory = last("lora step", STEP, "MB peak").value();
        double planned = last("lora step", STEP, "MB planned").value();
        double peerMemory = last("lora step: Transformers + PEFT", STEP, "MB peak").value();
        double product = last("sgemm", SGEMM, "GFLOP/s").value();
        double peerProduct = last("sgemm: PyTorch", SGEMM, "GFLOP/s").value();
        double ejml = last("sgemm: EJML threads", SGEMM, "GFLOP/s").value();
        return String.format(Locale.ROOT, """
                | on %d cores without a GPU (%s) | Gale | Transformers + PEFT | |
                |---|---|---|---|
                | LoRA step, 135M Llama shape, r 16, 512 tokens, f32: tokens/s | %.0f | %.0f | %.2f× |
                | its peak memory, whole process (%.0f MB were planned) | %,.0f MB | %,.0f MB | %.0f %% |
                | sgemm %s, GFLOP/s (EJML, all threads: %.1f) | %.0f | %.0f | %.2f× |
                """, speed.threads(), speed.machine(), speed.value(), peerSpeed, speed.value() / peerSpeed, planned, memory,
                peerMemory, 100 * memory / peerMemory, SGEMM.replace('x', '×'), ejml, product, peerProduct,
                product / peerProduct);
    }

    private Row last(String op, String shape, String unit) {
        return rows.reversed().stream().filter(row -> row.op().equals(op) && row.shape().equals(shape)
                && row.unit().equals(unit))
                .findFirst().orElseThrow(() -> new NoSuchElementException("no row %s, %s, %s".formatted(op, shape, unit)));
    }
}
