package dev.gale.train.testing;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/// Models, tokenizers and data made by others, which are not part of the project: tests that read them skip without.
public final class RealInputs {
    private RealInputs() {}

    /// The path of a real input; the calling test is skipped when it is not there.
    public static Path path(String relative) {
        String given = System.getProperty("GALE_REAL_INPUTS", System.getenv("GALE_REAL_INPUTS"));
        Path folder = given != null ? Path.of(given)
                : Path.of(System.getProperty("gale.root", ".."), "build", "real-inputs");
        Path path = folder.resolve(relative);
        Assumptions.assumeTrue(Files.exists(path), "real inputs are not unpacked: " + path);
        return path;
    }
}
