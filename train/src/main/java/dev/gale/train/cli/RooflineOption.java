package dev.gale.train.cli;

import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.Roofline;
import picocli.CommandLine.Option;

/// The peaks of a device.
public final class RooflineOption {
    @Option(names = "--peak-tflops", paramLabel = "N", defaultValue = "790",
            description = "Of the roofline: arithmetic of 16-bit products (${DEFAULT-VALUE}).")
    private double peakTflops;

    @Option(names = "--peak-tbs", paramLabel = "N", defaultValue = "4.3",
            description = "Of the roofline: TB/s between device and its memory (${DEFAULT-VALUE}).")
    private double peakTbs;

    /// Throws: InputException when a peak is not above 0.
    public void check() {
        if (!(peakTflops > 0)) throw new InputException("--peak-tflops must be above 0, got " + peakTflops);
        if (!(peakTbs > 0)) throw new InputException("--peak-tbs must be above 0, got " + peakTbs);
    }

    public Roofline roofline() {
        return new Roofline(peakTflops * 1e12, peakTbs * 1e12);
    }
}
