package dev.gale.train.cli;

import static dev.gale.train.cli.CommandRun.fixture;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.HostWeights;
import dev.gale.tensor.InputException;
import dev.gale.tensor.autograd.Checkpointing;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `gale plan --model`: what of a model's training fits into so much memory.
class PlanModelTest {
    private static CommandRun plan(String... options) {
        List<Object> args = new ArrayList<>(List.of("plan", "--model", fixture("llama")));
        args.addAll(List.of(options));
        if (!args.contains("--quantization")) args.addAll(List.of("--quantization", "none"));
        return CommandRun.of(args.toArray());
    }

    private static double megabytes(CommandRun run, String row) {
        Matcher line = Pattern.compile(row + " +([\\d,.]+) MB").matcher(run.out());
        assertTrue(line.find(), run.toString());
        return Double.parseDouble(line.group(1).replace(",", ""));
    }

    private static long longest(CommandRun run) {
        Matcher line = Pattern.compile("([\\d,]+) tokens in this setting").matcher(run.out());
        assertTrue(line.find(), run.toString());
        return Long.parseLong(line.group(1).replace(",", ""));
    }

    @Test
    void theFastestSettingThatFitsIsSaidWithItsBytesAndTheLongestSequence() {
        CommandRun plenty = plan("--gpu-memory", "1.02GB", "--seq", "64");
        assertEquals(0, plenty.exit(), plenty.err());
        for (String words : List.of("gradient_checkpointing: false", "optimizer state", "the device has           1,020.0 MB",
                "tokens/s")) {
            assertTrue(plenty.out().contains(words), plenty.out());
        }
        CommandRun whole = plan("--gpu-memory", "1.1GB", "--seq", "2048");
        double tensors = megabytes(whole, "tensors at the peak");
        CommandRun small = plan("--gpu-memory", "%.0fKB".formatted(1e6 + 900 * tensors), "--seq", "2048");
        assertEquals(0, small.exit(), small.err());
        assertFalse(small.out().contains("gradient_checkpointing: false"), small.out());
        assertTrue(megabytes(small, "tensors at the peak") < 0.9 * tensors, small.out());
        assertTrue(longest(small) >= 2048, small.out());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"--gpu-memory 24 | a size of memory is a number and a unit",
            "--gpu-memory 1GB --seq 0 | --seq",
        "--gpu-memory 1000001000B | a size of memory", "--gpu-memory 1GB | even with every layer in host memory",
        "--gpu-memory 24GB --quantization nf5 | nf5", "--gpu-memory 24GB --peak-tbs 0 | --peak-tbs"})
    void badOptionsAreOneSentence(String options, String words) {
        CommandRun run = plan(options.split(" "));
        assertEquals(2, run.exit(), run.toString());
        assertTrue(run.err().contains(words) && run.err().lines().count() == 1, run.err());
    }

    @Test
    void eitherAConfigurationOrAModel() {
        assertEquals(2, CommandRun.of("plan").exit());
        CommandRun both = CommandRun.of("plan", "run.yaml", "--model", fixture("llama"), "--gpu-memory", "2GB");
        assertTrue(both.exit() == 2 && both.err().contains("not both"), both.toString());
    }

    @Test
    void settingsAreWrittenAsAConfigurationHasThem() {
        assertEquals(List.of("gradient_checkpointing: selective"), new MemorySetting(Checkpointing.SELECTIVE, false, 1,
                HostWeights.NONE).keys());
        assertEquals(List.of("gradient_checkpointing: true", "activation_offloading: true", "offload_embedding: true",
                        "tiled_mlp_num_shards: 8", "streamed_layers: 3"),
                new MemorySetting(Checkpointing.LAYER, true, 8, new HostWeights(true, 3)).keys());
    }

    @Test
    void sizesOfMemory() {
        MemorySize sizes = new MemorySize();
        assertEquals(24_000_000_000L, sizes.convert("24GB"));
        assertEquals(80L << 30, sizes.convert("80 GiB"));
        assertEquals(1_500_000L, sizes.convert("1.5mb"));
        for (String wrong : List.of("", "GB", "-1GB", "0MB", "24", "1e3GB")) assertThrows(InputException.class,
                () -> sizes.convert(wrong), wrong);
    }
}
