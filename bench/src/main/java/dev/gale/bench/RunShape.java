package dev.gale.bench;

import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.Roofline;
import dev.gale.train.cli.RooflineOption;
import java.nio.file.Path;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// What every measurement of a model's shape is told.
public final class RunShape {
    @Option(names = "--shape", paramLabel = "135m|1b|8b|70b|mixtral-8x7b|qwen3-30b-a3b",
            description = "Shape of a Llama model or a mixture; without it 135m on the CPU and 1b on a GPU.")
    private String shape;

    @Option(names = "--batch", paramLabel = "B", defaultValue = "1", description = "Sequences side by side (${DEFAULT-VALUE}).")
    private int batch;

    @Option(names = "--seq", paramLabel = "S", defaultValue = "512", description = "Tokens of a sequence (${DEFAULT-VALUE}).")
    private int seq;

    @Mixin
    private RooflineOption peaks;

    @Option(names = "--results", paramLabel = "DIR", defaultValue = "bench/results",
            description = "Where rows are added (${DEFAULT-VALUE}).")
    private Path results;

    /// Throws: InputException when a number is out of range.
    public void check() {
        atLeastOne("--batch", batch);
        atLeastOne("--seq", seq);
        peaks.check();
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
        return peaks.roofline();
    }

    public Path results() {
        return results;
    }
}
