package dev.gale.bench.report;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDate;
import java.util.List;
import java.util.Locale;

/// Measurements as CSV, one a row, each with the machine, the runtime and the commit it was made with.
public final class BenchCsv {
    private static final String HEADER = "date,op,shape,threads,value,unit,machine,runtime,commit";

    private final Path file;

    public BenchCsv(Path file) {
        this.file = file;
    }

    /// A row of the file.
    public record Row(String date, String op, String shape, int threads, double value, String unit, String machine,
                      String runtime, String commit) {
        private static Row parse(String line) {
            String[] cells = line.split(",", -1);
            if (cells.length != 9) throw new IllegalArgumentException("not nine cells: " + line);
            return new Row(cells[0], cells[1], cells[2], Integer.parseInt(cells[3]), Double.parseDouble(cells[4]), cells[5],
                    cells[6], cells[7], cells[8]);
        }
    }

    /// All rows, oldest first.
    public List<Row> rows() {
        try {
            return Files.readAllLines(file).stream().skip(1).map(Row::parse).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Appends a measurement of now and here.
    public void add(String op, String shape, int threads, double value, String unit) {
        String row = String.format(Locale.ROOT, "%s,%s,%s,%d,%.4g,%s,%s,%s,%s%n", LocalDate.now(), op, shape, threads, value,
                unit, machine(), "JDK " + Runtime.version(), Provenance.commit());
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            if (!Files.exists(file)) Files.writeString(file, HEADER + "\n");
            Files.writeString(file, row, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The processor as Linux names it, with family and model because cloud providers hide the name, else the architecture.
    static String machine() {
        Path info = Path.of("/proc/cpuinfo");
        if (!Files.exists(info)) return System.getProperty("os.arch");
        try {
            List<String> lines = Files.readAllLines(info);
            return "%s family %s model %s".formatted(field(lines, "model name"), field(lines, "cpu family"),
                    field(lines, "model")).replace(',', ' ');
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String field(List<String> lines, String name) {
        return lines.stream().filter(line -> line.split("\\s*:")[0].equals(name)).findFirst()
                .map(line -> line.substring(line.indexOf(':') + 1).strip()).orElse("?");
    }
}
