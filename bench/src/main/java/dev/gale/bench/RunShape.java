package dev.gale.bench;

import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.Roofline;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/// What every measurement of a model's shape is told.
public final class RunShape {
    @Option(names = "--shape", paramLabel = "135m|1b|8b|70b",
            description = "Shape of a Llama model; without it 135m on the CPU and 1b on a GPU.")
    private String shape;

    @Option(names = "--batch", paramLabel = "B", defaultValue = "1", description = "Sequences side by side (${DEFAULT-VALUE}).")
    private int batch;

    @Option(names = "--seq", paramLabel = "S", defaultValue = "512", description = "Tokens of a sequence (${DEFAULT-VALUE}).")
    private int seq;

    @Option(names = "--peak-tflops", paramLabel = "N", defaultValue = "790",
            description = "Of the roofline: arithmetic of 16-bit products (${DEFAULT-VALUE}).")
    private double peakTflops;

    @Option(names = "--peak-tbs", paramLabel = "N", defaultValue = "4.3",
            description = "Of the roofline: TB/s between device and its memory (${DEFAULT-VALUE}).")
    private double peakTbs;

    @Option(names = "--results", paramLabel = "DIR", defaultValue = "bench/results",
            description = "Where rows are added (${DEFAULT-VALUE}).")
    private Path results;

    /// Throws: InputException when a number is out of range.
    public void check() {
        atLeastOne("--batch", batch);
        atLeastOne("--seq", seq);
        if (!(peakTflops > 0)) throw new InputException("--peak-tflops must be above 0, got " + peakTflops);
        if (!(peakTbs > 0)) throw new InputException("--peak-tbs must be above 0, got " + peakTbs);
        if ((long) batch * seq > 1 << 24) {
            throw new InputException("--batch %d of --seq %d tokens is too much".formatted(batch, seq));
        }
    }

    /// Throws: InputException when it is not.
    public static void atLeastOne(String option, int value) {
        if (value < 1) throw new InputException("%s must be at least 1, got %d".formatted(option, value));
    }

    /// Throws: InputException when there is no such shape.
    public ModelShape shape(boolean gpu) {
        return shape == null ? gpu ? ModelShape.LLAMA_1B : ModelShape.LLAMA_135M : ModelShape.of(shape);
    }

    public int batch() {
        return batch;
    }

    public int seq() {
        return seq;
    }

    public Roofline roofline() {
        return new Roofline(peakTflops * 1e12, peakTbs * 1e12);
    }

    public Path results() {
        return results;
    }
}
