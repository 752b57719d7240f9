package dev.gale.train.cli;

import static dev.gale.train.cli.CommandRun.fixture;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Commands on models with weights of few bits.
class QuantizedCommandsTest {
    @TempDir
    private Path folder;
    private Workplace place;

    @BeforeEach
    void writeWorkplace() throws IOException {
        place = Workplace.at(folder);
        StringBuilder rows = new StringBuilder();
        for (int i = 1; i <= 8; i++) {
            rows.append("{\"prompt\": \"Once\", \"completion\": \"%s\"}\n".formatted(" upon a time".repeat(i)));
        }
        place.write("data.jsonl", rows.toString());
    }

    private static CommandRun good(List<Object> args) {
        CommandRun run = CommandRun.of(args.toArray());
        assertEquals(0, run.exit(), run.toString());
        return run;
    }

    private CommandRun train(String output, String... overrides) {
        List<Object> args = new ArrayList<>(List.of("--device", "cpu", "--set", "output_dir=" + place.path(output)));
        for (String override : overrides) args.addAll(List.of("--set", override));
        return good(place.train(args.toArray()));
    }

    private Path quantized(String... options) {
        Path output = place.path("quantized");
        List<Object> args = new ArrayList<>(List.of("quantize", "--model", place.path("model"), "--output", output));
        args.addAll(List.of(options));
        assertEquals("quantized model: " + output + System.lineSeparator(), good(args).out());
        return output;
    }

    private byte[] adapter(String output) throws IOException {
        return Files.readAllBytes(place.path(output).resolve("adapter_model.safetensors"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"load_in_4bit=true", "load_in_8bit=true"})
    void aRunTrainsAndResumesBitForBit(String quantization) throws IOException {
        place.append("run.yaml", "save_steps: 2\nlearning_rate: 0.01\n");
        train("whole", quantization, "max_steps=4", "lora.lora_dropout=0.1");
        train("resumed", quantization, "max_steps=4", "lora.lora_dropout=0.1",
                "resume_from_checkpoint=" + place.path("whole/checkpoint-2"));
        assertArrayEquals(adapter("whole"), adapter("resumed"));
        train("dense", "max_steps=4", "lora.lora_dropout=0.1");
        assertFalse(Arrays.equals(adapter("dense"), adapter("whole")));
        good(place.prompt("--adapter", place.path("whole"), "--" + quantization.replace("=true", "").replace('_', '-')));
    }

    /// Quantizing while a model is loaded and loading what was quantized before train the same.
    @Test
    void aQuantizedFolderTrainsAsQuantizingAtLoadDoes() throws IOException {
        train("atload", "load_in_4bit=true", "bnb_4bit_use_double_quant=true", "llm_int8_skip_modules=[down_proj]");
        Path model = quantized("--double-quant", "--llm-int8-skip-modules", "down_proj");
        assertTrue(Files.exists(model.resolve("tokenizer.json")));
        train("before", "model_name_or_path=" + model);
        train("said", "model_name_or_path=" + model, "load_in_4bit=true");
        assertArrayEquals(adapter("atload"), adapter("before"));
        assertArrayEquals(adapter("atload"), adapter("said"));
    }

    @Test
    void computeDtypesThatCannotBeHadAreSaid() {
        String note = "bnb_4bit_compute_dtype bfloat16 cannot be had on this device, which computes in float32";
        PrintStream before = System.err;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setErr(new PrintStream(printed, true));
        try {
            train("a", "load_in_4bit=true", "bnb_4bit_compute_dtype=bfloat16");
            assertTrue(printed.toString().contains(note), printed.toString());
            printed.reset();
            train("b", "load_in_4bit=true", "bnb_4bit_compute_dtype=float32");
            assertFalse(printed.toString().contains("cannot be had"), printed.toString());
        } finally {
            System.setErr(before);
        }
    }

    private double megabytes(String row, String... overrides) {
        List<Object> args = new ArrayList<>(List.of("plan", place.path("run.yaml"), "--device", "cpu"));
        for (String override : overrides) args.addAll(List.of("--set", override));
        Matcher found = Pattern.compile(row + " +([\\d,.]+) MB").matcher(good(args).out());
        assertTrue(found.find());
        return Double.parseDouble(found.group(1).replace(",", ""));
    }

    /// The layers of the fixture have 86,016 elements in projections, dense 0.344 MB, in 4 bits with a scale for 64 0.048 MB.
    @Test
    void aPlanCountsTheBytesOfFewBits() {
        double dense = megabytes("weights, mapped");
        double four = megabytes("weights, mapped", "load_in_4bit=true");
        assertEquals(0.5, dense, 0.05);
        assertEquals(0.3, dense - four, 0.06);
        assertEquals(0.1, megabytes("weights, in memory", "load_in_4bit=true") - megabytes("weights, in memory"), 0.06);
        String packed = "model_name_or_path=" + quantized();
        assertEquals(megabytes("tensors at the peak"), megabytes("tensors at the peak", packed), 0.05);
    }

    /// The dense row is what an evaluation of the model says, the others come near it.
    @Test
    void perplexitiesOfKindsOfWeightsAreCompared() {
        List<String> lines = good(List.of("eval", "quantization", "--model", place.path("model"), "--data",
                place.path("data.jsonl"), "--device", "cpu", "--adapter", place.path("adapter"))).out().lines().toList();
        assertEquals(List.of("weights", "float32", "int8", "nf4", "nf4_nested", "on"),
                lines.stream().map(line -> line.split(" ")[0]).toList());
        double[][] numbers = lines.subList(1, 5).stream().map(line -> Arrays.stream(line.replace(",", "").split(" +")).skip(1)
                .mapToDouble(Double::parseDouble).toArray()).toArray(double[][]::new);
        for (int column = 1; column <= 2; column++) {
            assertEquals(numbers[0][column], numbers[1][column], 0.02 * numbers[0][column], "int8");
            assertEquals(numbers[0][column], numbers[2][column], 0.3 * numbers[0][column], "nf4");
            assertNotEquals(numbers[0][column], numbers[2][column]);
            assertNotEquals(numbers[2][column], numbers[3][column]);
        }
        assertTrue(numbers[0][0] > numbers[1][0] && numbers[1][0] > numbers[2][0], lines.toString());
        assertNotEquals(numbers[0][1], numbers[0][2], "the adapter changes something");
    }

    private CommandRun verify(Path model, String tolerance, Object... more) {
        List<Object> args = new ArrayList<>(List.of("verify", "--model", model, "--expected",
                fixture("llama/lora").resolve("expected.safetensors"), "--tolerance", tolerance));
        args.addAll(List.of(more));
        return CommandRun.of(args.toArray());
    }

    @Test
    void mergedIntoAQuantizedBaseItComputesNearlyTheSame() {
        Path base = quantized();
        String want = verify(base, "10", "--adapter", place.path("adapter")).out();
        assertEquals(want, verify(place.path("model"), "10", "--adapter", place.path("adapter"), "--load-in-4bit").out());
        for (String how : List.of("--dequantize", "--requantize")) {
            Path merged = place.path("merged" + how);
            good(List.of("merge", "--model", base, "--adapter", place.path("adapter"), "--output", merged, how));
            String got = verify(merged, "10").out();
            double difference = Math.abs(mean(want) - mean(got));
            assertTrue(how.equals("--dequantize") ? difference < 1e-6 : difference < 0.2, how + " " + want + got);
        }
    }

    private static double mean(String out) {
        String line = out.lines().filter(text -> text.startsWith("mean_abs_diff ")).findFirst().orElseThrow();
        return Double.parseDouble(line.substring(14));
    }
}
