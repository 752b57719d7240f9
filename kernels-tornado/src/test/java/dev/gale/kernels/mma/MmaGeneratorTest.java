package dev.gale.kernels.mma;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// The generated kernels are what the generator writes, and `MmaProduct` knows them all.
class MmaGeneratorTest {
    private static final Path SOURCES = Path.of("src/main/java/dev/gale/kernels/mma");

    @Test
    void sourcesAreWhatTheGeneratorWrites() throws IOException {
        for (MmaGenerator.Variant variant : MmaGenerator.VARIANTS) {
            String message = variant.name() + " was changed by hand, or MmaGenerator was and its main did not run";
            assertEquals(MmaGenerator.source(variant), Files.readString(SOURCES.resolve(variant.name() + ".java")), message);
        }
    }

    @Test
    void narrowSourcesAreWhatTheirGeneratorWrites() throws IOException {
        for (NarrowGenerator.Variant variant : NarrowGenerator.VARIANTS) {
            String message = variant.name() + " was changed by hand, or NarrowGenerator was and its main did not run";
            assertEquals(NarrowGenerator.source(variant), Files.readString(SOURCES.resolve(variant.name() + ".java")), message);
        }
        for (MmaNarrow narrow : MmaNarrow.values()) {
            NarrowGenerator.Variant variant = NarrowGenerator.VARIANTS.get(narrow.ordinal());
            assertEquals(variant.name().toLowerCase(), "narrow" + narrow.name().replace("_", "").toLowerCase());
            assertEquals(variant.byDepth(), narrow.byDepth());
            assertEquals(variant.width(), narrow.width());
        }
    }

    @Test
    void groupedSourcesAreWhatTheirGeneratorsWrite() throws IOException {
        for (GroupedGenerator.Variant variant : GroupedGenerator.VARIANTS) {
            String message = variant.name() + " was changed by hand, or GroupedGenerator was and its main did not run";
            assertEquals(GroupedGenerator.source(variant), Files.readString(SOURCES.resolve(variant.name() + ".java")),
                    message);
        }
        for (NarrowGenerator.Variant variant : GroupedNarrowGenerator.VARIANTS) {
            String message = variant.name() + " was changed by hand, or GroupedNarrowGenerator was and its main did not run";
            assertEquals(GroupedNarrowGenerator.source(variant), Files.readString(SOURCES.resolve(variant.name() + ".java")),
                    message);
        }
        assertEquals(GroupedGenerator.VARIANTS.size(), MmaGrouped.values().length);
        for (MmaGrouped product : MmaGrouped.values()) {
            String name = "grouped" + product.name().replace("_", "");
            MmaGenerator.Variant variant = GroupedGenerator.VARIANTS.stream()
                    .filter(each -> each.name().equalsIgnoreCase(name)).findFirst().orElseThrow();
            assertEquals(variant.rows(), product.rows());
            assertEquals(variant.cols(), product.cols());
            assertEquals(variant.threads(), MmaGrouped.THREADS);
            assertEquals(variant.byDepth(), product.byDepth());
        }
    }

    @Test
    void everySourceIsGeneratedOrKnown() throws IOException {
        Set<String> written = new TreeSet<>(Set.of("AttentionGradient", "AttentionTiles", "ExpertTiles", "GradientTiles",
                "MmaAttention", "MmaEpilogue", "MmaGrouped", "MmaGroupedNarrow", "MmaNarrow", "MmaProduct", "MmaTiles",
                "Nf4Product"));
        NarrowGenerator.VARIANTS.forEach(variant -> written.add(variant.name()));
        GroupedGenerator.VARIANTS.forEach(variant -> written.add(variant.name()));
        GroupedNarrowGenerator.VARIANTS.forEach(variant -> written.add(variant.name()));
        AttentionGenerator.VARIANTS.forEach(variant -> written.add(variant.name()));
        MmaGenerator.VARIANTS.forEach(variant -> written.add(variant.name()));
        AttentionGradientGenerator.VARIANTS.forEach(variant -> written.add(variant.name()));
        try (Stream<Path> files = Files.list(SOURCES)) {
            assertEquals(written, files.map(file -> file.getFileName().toString().replace(".java", ""))
                    .collect(Collectors.toCollection(TreeSet::new)));
        }
    }

    @Test
    void productsHaveTheTilesOfTheirKernels() {
        assertEquals(MmaGenerator.VARIANTS.size(), MmaProduct.values().length + Nf4Product.values().length);
        for (MmaProduct product : MmaProduct.values()) assertTiles(product.name(), product, false);
        for (Nf4Product nf4 : Nf4Product.values()) assertTiles(nf4.name(), nf4.product(), true);
    }

    private static void assertTiles(String name, MmaProduct product, boolean nf4) {
        MmaGenerator.Variant variant = MmaGenerator.VARIANTS.stream()
                .filter(each -> each.name().equalsIgnoreCase(name.replace("_", ""))).findFirst().orElseThrow();
        assertEquals(variant.rows(), product.sumRows(1), name);
        assertEquals(variant.cols(), product.sumCols(1), name);
        assertEquals(variant.threads(), product.threads(), name);
        assertEquals(variant.bf16(), product.bf16(), name);
        assertEquals(variant.nf4(), nf4, name);
        assertEquals(variant.byDepth(), product.byDepth(), name);
    }

    @Test
    void linesAreShort() {
        for (NarrowGenerator.Variant variant : NarrowGenerator.VARIANTS) {
            assertTrue(NarrowGenerator.source(variant).lines().allMatch(line -> line.length() <= 120), variant.name());
        }
        for (NarrowGenerator.Variant variant : GroupedNarrowGenerator.VARIANTS) {
            assertTrue(GroupedNarrowGenerator.source(variant).lines().allMatch(line -> line.length() <= 120), variant.name());
        }
        for (MmaGenerator.Variant variant : GroupedGenerator.VARIANTS) {
            assertTrue(GroupedGenerator.source(variant).lines().allMatch(line -> line.length() <= 120), variant.name());
        }
        for (MmaGenerator.Variant variant : MmaGenerator.VARIANTS) {
            String source = MmaGenerator.source(variant);
            assertTrue(Arrays.stream(source.split("\n")).allMatch(line -> line.length() <= 120), variant.name());
            assertTrue(source.lines().count() < 500, variant.name());
        }
    }
}
