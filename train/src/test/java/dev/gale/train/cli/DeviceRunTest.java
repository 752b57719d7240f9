package dev.gale.train.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DeviceException;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.FailingOps;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Runs on a device: refused before they begin when its memory is too small, ended with the last checkpoint intact when it
/// fails.
class DeviceRunTest {
    private static final long PLENTY = 100L << 30;
    private static final int LAYERS = 2;

    @TempDir
    private Path folder;
    private Workplace place;

    @BeforeEach
    void writeWorkplace() throws IOException {
        place = Workplace.at(folder);
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 16; i++) {
            rows.append("{\"prompt\": \"Once\", \"completion\": \"%s\"}\n".formatted(" upon a time".repeat(4 + i / 2)));
        }
        place.write("data.jsonl", rows.toString());
    }

    @AfterEach
    void takeAway() {
        FakeDevice.present = List.of();
    }

    private static void device(long memory, Supplier<TensorOps> operations) {
        FakeDevice.present = List.of(new FakeDevice(memory, operations));
    }

    private CommandRun run(String command, String... overrides) {
        List<Object> args = new ArrayList<>(List.of(command, place.path("run.yaml"), "--device", "gpu"));
        for (String override : overrides) {
            args.addAll(override.startsWith("--") ? List.of(override) : List.of("--set", override));
        }
        return CommandRun.of(args.toArray());
    }

    private CommandRun train(String... overrides) {
        return run("train", overrides);
    }

    private double needed(String... overrides) {
        CommandRun plan = run("plan", overrides);
        assertEquals(0, plan.exit(), plan.err());
        Matcher row = Pattern.compile("on the device +([\\d,.]+) MB").matcher(plan.out());
        assertTrue(row.find(), plan.out());
        return Double.parseDouble(row.group(1).replace(",", "")) * 1e6;
    }

    private static final String[] LARGE = {"per_device_train_batch_size=16", "gradient_checkpointing=false", "max_length=64"};

    private static String[] and(String[] overrides, String... more) {
        List<String> all = new ArrayList<>(List.of(overrides));
        all.addAll(List.of(more));
        return all.toArray(String[]::new);
    }

    @Test
    void aPlanOnADeviceSaysWhetherItFits() {
        device(PLENTY, CpuOps::new);
        CommandRun plan = run("plan");
        assertEquals(0, plan.exit(), plan.err());
        assertTrue(plan.out().contains("fits on Fake 1") && plan.out().contains("GFLOP"), plan.out());
        assertEquals(plan.out(), run("train", "--dry-run").out());
        device(1000, CpuOps::new);
        CommandRun small = run("plan");
        assertTrue(small.out().contains("does not fit on Fake 1: 1.0"), small.out());
        assertFalse(CommandRun.of("plan", place.path("run.yaml"), "--device", "cpu").out().contains("Fake"));
    }

    @Test
    void aRunInHalvesScalesItsLosses() throws IOException {
        device(PLENTY, ReferenceOps::new);
        CommandRun plan = run("plan", "fp16=true");
        assertEquals(0, plan.exit(), plan.err());
        assertTrue(needed("fp16=true") < needed(), plan.out());
        CommandRun trained = train("fp16=true", "max_steps=2", "logging_steps=1");
        assertEquals(0, trained.exit(), trained.err());
        String metrics = Files.readString(place.path("out").resolve("metrics.jsonl"));
        assertTrue(metrics.contains("\"loss_scale\":65536.0"), metrics);
    }

    @Test
    void aDtypeThatTheDeviceDoesNotComputeInIsRefused() {
        device(PLENTY, ReferenceOps::new);
        refused(new String[] {"bf16=true"}, "Fake 1 knows no bf16");
        refused(new String[] {"bf16=true", "fp16=true"}, "fp16 and bf16 are both true");
        for (String command : new String[] {"plan", "train"}) {
            CommandRun onCpu = CommandRun.of(command, place.path("run.yaml"), "--device", "cpu", "--set", "fp16=true");
            assertEquals(2, onCpu.exit(), onCpu.err());
            assertTrue(onCpu.err().contains("fp16 is true, but the CPU computes in f32: leave fp16 out, or choose a GPU"),
                    onCpu.err());
        }
    }

    @Test
    void tooLittleMemoryIsSaidBeforeTheDeviceOpensAndWithWhatWouldFit() throws IOException {
        device(PLENTY, CpuOps::new);
        String[] checkpointed = and(LARGE, "gradient_checkpointing=true");
        double whole = needed(LARGE);
        double smaller = needed(checkpointed);
        double halved = needed(and(checkpointed, "per_device_train_batch_size=1", "gradient_accumulation_steps=16"));
        assertTrue(halved <= smaller && smaller < whole, whole + " " + smaller + " " + halved);
        Supplier<TensorOps> never = () -> {
            throw new AssertionError("the device was opened");
        };
        Map<Path, Integer> before = place.files();
        device((long) whole - 100_000, never);
        refused(LARGE, "Fake 1", "with gradient_checkpointing: true it needs");
        device(500_000_000, never);
        refused(LARGE, "even with gradient_checkpointing: true, activation_offloading: true, tiled_mlp_num_shards: 8, "
                + "per_device_train_batch_size: 1, gradient_accumulation_steps: 16 it does not fit: take a smaller model");
        assertEquals(before, place.files());
        device((long) whole + 100_000, CpuOps::new);
        assertEquals(0, train(LARGE).exit());
    }

    private void refused(String[] overrides, String... words) {
        CommandRun run = train(overrides);
        assertEquals(2, run.exit(), run.toString());
        assertEquals(1, run.err().lines().count(), run.err());
        for (String word : words) assertTrue(run.err().contains(word), run.err());
    }

    @Test
    void theExamplesOfThePlanAreThoseOfTheRun() throws IOException {
        device(PLENTY, CpuOps::new);
        assertEquals(0, train("output_dir=" + folder.resolve("gpu")).exit());
        assertEquals(0, CommandRun.of("train", place.path("run.yaml"), "--device", "cpu").exit());
        String result = "adapter_model.safetensors";
        assertEquals(-1, Files.mismatch(folder.resolve("gpu").resolve(result), folder.resolve("out").resolve(result)));
    }

    /// In the forward pass, in the update, while a checkpoint is written, as an error and as an exception.
    @ParameterizedTest
    @CsvSource({"rmsNormForward, true, 4", "adamW, false, 4", "toFloats, true, 5", "attentionBackward, false, 4"})
    void aDeviceThatFailsLeavesTheLastCheckpointWhole(String operation, boolean error, int step) throws IOException {
        String[] common = {"max_steps=6", "save_steps=2", "per_device_train_batch_size=2"};
        device(PLENTY, CpuOps::new);
        assertEquals(0, train(and(common, "output_dir=" + folder.resolve("whole"))).exit());

        int calls = calls(operation, step, common);
        Supplier<Throwable> failure = () -> error ? new Error("unimplemented:\nsomething")
                : new DeviceException("the device failed: 700");
        device(PLENTY, () -> FailingOps.after(new CpuOps(), operation, calls, failure));
        CommandRun run = train(common);
        assertEquals(1, run.exit(), run.toString());
        List<String> said = run.err().lines().toList();
        assertEquals(1, said.size(), run.err());
        assertTrue(said.getFirst().matches("gale: step \\d: (unimplemented:|the device failed: 700);"
                + " go on from checkpoint-\\d with --resume"), run.err());
        assertFalse(Files.exists(place.path("out/adapter_model.safetensors")));

        device(PLENTY, CpuOps::new);
        assertEquals(0, train(and(common, "--resume")).exit());
        for (String name : List.of("adapter_model.safetensors", "checkpoint-6/optimizer.safetensors")) {
            assertEquals(-1, Files.mismatch(folder.resolve("whole").resolve(name), place.path("out").resolve(name)), name);
        }
    }

    /// How often an operation is called before this step and a bit.
    private int calls(String operation, int step, String... common) {
        int[] counted = new int[1];
        device(PLENTY, () -> FailingOps.counting(new CpuOps(), operation, counted));
        assertEquals(0, train(and(common, "max_steps=" + (step - 1), "output_dir=" + folder.resolve("counted"))).exit());
        return counted[0] + 1;
    }

    @Test
    void withoutACheckpointThereIsNothingToGoOnFrom() {
        device(PLENTY, () -> FailingOps.after(new CpuOps(), "rmsNormForward", LAYERS, () -> new DeviceException("lost")));
        CommandRun run = train();
        assertEquals(1, run.exit(), run.toString());
        assertEquals("gale: step 1: lost; there is no checkpoint to go on from", run.err().strip());
    }

    @Test
    void devicesAreListed() {
        device(80_000_000_000L, CpuOps::new);
        CommandRun run = CommandRun.of("devices");
        assertTrue(run.out().startsWith("gpu:0  Fake 1, FAKE, 80.0 GB, nothing"), run.out());
        FakeDevice.present = List.of();
        CommandRun none = CommandRun.of("train", place.path("run.yaml"), "--device", "gpu");
        assertEquals(2, none.exit());
        assertEquals(1, none.err().lines().count(), none.err());
        assertTrue(none.err().contains("SDKMAN") && none.err().contains("TORNADOVM_HOME"), none.err());
    }
}
