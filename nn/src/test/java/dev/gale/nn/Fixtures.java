package dev.gale.nn;

import dev.gale.nn.safetensors.Safetensors;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.TensorOps;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/// Model folders with the outputs that Transformers computed from them.
public final class Fixtures {
    /// Prefix of names of fixtures that are not part of the project.
    public static final String SHARED = "shared:";
    /// One of every family with layers of its own, and of forms of rotary embedding that Llama's fixtures lack.
    public static final List<String> FAMILIES = List.of("llama-dynamic", "mistral", "qwen2", "qwen3", "gemma",
            "gemma2", "gemma3", "gemma3-vision", "mistral3-vision", "phi", "phi-norms", "phi3", "smollm3", "granite", "mixtral",
            "qwen2-moe", "qwen3-moe", "deepseek", "deepseek-yarn",
            SHARED + "mixtral", SHARED + "mistral", SHARED + "qwen2", SHARED + "qwen3", SHARED + "gemma",
            SHARED + "gemma2", SHARED + "phi3");

    private Fixtures() {}

    public static Path folder(String name) {
        if (name.startsWith(SHARED)) return shared(name.substring(SHARED.length()));
        try {
            return Path.of(Fixtures.class.getResource("/fixtures/" + name).toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /// A folder of the larger fixtures beside the project; skips the test when they are not there.
    private static Path shared(String name) {
        Path folder = Path.of(System.getProperty("gale.root", "."), "..", "shared", "fixtures", name);
        Assumptions.assumeTrue(Files.isDirectory(folder), "shared fixtures are missing: " + folder);
        return folder;
    }

    /// A copy of a fixture that a test may break.
    public static Path copy(String name, Path target) {
        try (Stream<Path> files = Files.list(folder(name))) {
            for (Path file : files.toList()) Files.copy(file, target.resolve(file.getFileName()));
            return target;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// A folder of the real inputs; skips the test when they are not unpacked.
    public static Path real(String name) {
        String given = System.getProperty("GALE_REAL_INPUTS", System.getenv("GALE_REAL_INPUTS"));
        Path root = given != null ? Path.of(given) : Path.of(System.getProperty("gale.root", "."),
                "build", "real-inputs");
        Path folder = root.resolve(name);
        Assumptions.assumeTrue(Files.isDirectory(folder), "real inputs are not unpacked: " + folder + " is missing");
        return folder;
    }

    /// Rows of an integer tensor `[rows, width]`, cut to their attended tokens.
    static int[][] sequences(Safetensors file, String ids, int rows) {
        int[] all = file.readInts(ids);
        int width = all.length / rows;
        int[] mask = file.has("attention_mask") ? file.readInts("attention_mask") : null;
        return IntStream.range(0, rows).mapToObj(r -> IntStream.range(r * width, (r + 1) * width)
                .filter(i -> mask == null || mask[i] == 1).map(i -> all[i]).toArray()).toArray(int[][]::new);
    }

    static float[] logits(CausalLm model, int[]... sequences) {
        TensorOps ops = model.ops();
        ModelInput in = ModelInput.of(ops, sequences);
        try (Tape tape = Tape.inference(ops)) {
            Tensor logits = model.logits(tape, model.hidden(tape, in, Checkpointing.NONE));
            return ops.toFloats(logits);
        } finally {
            in.release(ops);
        }
    }

    /// Largest difference of the logits of attended tokens; `got` has them packed, `want` padded to `width`.
    static double worst(float[] got, float[] want, int[][] sequences, int width, int vocab) {
        double worst = 0;
        int row = 0;
        for (int s = 0; s < sequences.length; s++) {
            for (int t = 0; t < sequences[s].length; t++, row++) {
                for (int v = 0; v < vocab; v++) {
                    double difference = Math.abs(got[row * vocab + v] - want[(s * width + t) * vocab + v]);
                    if (!(difference <= worst)) worst = difference;
                }
            }
        }
        if (row * vocab != got.length) throw new AssertionError(Arrays.toString(new int[] {row * vocab, got.length}));
        return worst;
    }
}
