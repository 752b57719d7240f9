package dev.gale.bench.report;

import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.ComputeDevice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/// Measurements on devices as CSV: what was measured after the columns that say where and with what.
public final class DeviceCsv {
    private static final List<String> WHERE = List.of("date", "device", "driver", "backend", "tornadovm", "jdk", "commit",
            "products", "options");

    private final Path file;
    private final List<String> columns = new ArrayList<>(WHERE);

    /// @param columns of what is measured
    public DeviceCsv(Path file, List<String> columns) {
        this.file = file;
        this.columns.addAll(columns);
    }

    /// Appends a measurement of now.
    /// Throws: InputException when the file has other columns; IllegalArgumentException when there are not as many values as
    /// columns.
    public void add(ComputeDevice device, List<?> values) {
        List<Object> cells = new ArrayList<>(List.of(LocalDate.now(), device.name(), Provenance.driver(), device.backend(),
                Provenance.tornadoVm(), Runtime.version(), Provenance.commit(), System.getProperty("gale.products", "auto"),
                Provenance.options()));
        cells.addAll(values);
        if (cells.size() != columns.size()) throw new IllegalArgumentException(cells + " for " + columns);
        String header = String.join(",", columns);
        String row = cells.stream().map(DeviceCsv::cell).collect(Collectors.joining(","));
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            if (!Files.exists(file)) Files.writeString(file, header + "\n");
            String found = Files.readString(file).lines().findFirst().orElse("");
            if (!found.equals(header)) {
                throw new InputException("%s has the columns %s, not %s: move it away".formatted(file, found, header));
            }
            Files.writeString(file, row + "\n", StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String cell(Object value) {
        String text = value instanceof Double number ? String.format(Locale.ROOT, "%.6g", number) : value.toString();
        return text.replace(',', ' ').replace('\n', ' ');
    }
}
