package dev.gale.kernels.mma;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/// The generated kernels are what the generator writes, and `MmaAttention` knows them all.
class AttentionGeneratorTest {
    private static final Path SOURCES = Path.of("src/main/java/dev/gale/kernels/mma");

    @Test
    void sourcesAreWhatTheGeneratorWrites() throws IOException {
        for (AttentionGenerator.Variant variant : AttentionGenerator.VARIANTS) {
            String message = variant.name() + " was changed by hand, or AttentionGenerator was and its main did not run";
            String source = AttentionGenerator.source(variant);
            assertEquals(source, Files.readString(SOURCES.resolve(variant.name() + ".java")), message);
            assertTrue(Arrays.stream(source.split("\n")).allMatch(line -> line.length() <= 128), variant.name());
        }
    }

    @Test
    void kernelsAreOfTheirShape() {
        assertEquals(AttentionGenerator.VARIANTS.size(), MmaAttention.values().length);
        for (MmaAttention attention : MmaAttention.values()) {
            String name = "Attention" + attention.name().replace("_", "");
            AttentionGenerator.Variant variant = AttentionGenerator.VARIANTS.stream()
                    .filter(each -> each.name().equalsIgnoreCase(name)).findFirst().orElseThrow();
            assertEquals(variant.dims(), attention.dims(), attention.name());
            assertEquals(variant.rows(), attention.rows(), attention.name());
            assertTrue(variant.localBytes() <= 48 << 10, attention.name());
        }
    }
}
