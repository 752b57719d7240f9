package dev.gale.train.metric;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.AtomicFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;

/// Appends every history entry as one line to `metrics.jsonl`.
public final class JsonlSink implements MetricSink {
    private final ObjectMapper json = new ObjectMapper();
    private final Path file;

    /// Continues a file: entries of steps after `lastStep` were not part of the checkpoint a run resumes from, and go.
    /// A run that starts anew passes 0.
    public JsonlSink(Path file, long lastStep) {
        this.file = file;
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            keepUntil(lastStep);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void keepUntil(long lastStep) throws IOException {
        if (!Files.exists(file)) return;
        StringBuilder kept = new StringBuilder();
        for (String line : lastStep == 0 ? List.<String>of() : Files.readAllLines(file)) {
            if (stepOf(line) <= lastStep) kept.append(line).append('\n');
        }
        AtomicFile.write(file, kept.toString());
    }

    /// A line cut off by a crash belongs to no checkpoint.
    private long stepOf(String line) {
        try {
            return json.readTree(line).path("step").asLong(Long.MAX_VALUE);
        } catch (IOException e) {
            return Long.MAX_VALUE;
        }
    }

    @Override
    public void log(Map<String, Object> entry) {
        try {
            Files.writeString(file, json.writeValueAsString(entry) + "\n", StandardCharsets.UTF_8,
                    StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
