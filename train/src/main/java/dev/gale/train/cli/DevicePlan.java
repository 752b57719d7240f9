package dev.gale.train.cli;

import dev.gale.tensor.InputException;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.MemoryPlan;
import dev.gale.train.SftConfig;
import dev.gale.train.SftTrainer;
import dev.gale.train.config.TrainConfig;
import dev.gale.train.data.ExampleList;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;

/// What a run takes from a device's memory, found by running its steps on the operations with which the device plans: the
/// same allocations, no memory. So a run that does not fit is refused before it begins.
record DevicePlan(ComputeDevice device, MemoryPlan plan) {
    /// What a device holds beside tensors: the context of its driver and the compiled kernels, about half a gigabyte, and what
    /// cuBLAS takes for itself, a few hundred megabytes; the rest is for what a desktop has there.
    static final long RUNTIME_BYTES = 1_000_000_000L;
    /// Examples that are cut to less than this are hardly examples any more.
    private static final int SHORTEST = 64;
    private static final int MLP_SHARDS = 8;

    /// Gives the configuration with other values for some keys, each `key=value`.
    @FunctionalInterface
    interface Configuration {
        TrainConfig with(List<String> changes);
    }

    static DevicePlan of(TrainConfig config, ComputeDevice device) {
        Counted counted = onOps(config, counting(device), null, run ->
                new Counted(MemoryPlan.of(run.model().ops(), run.model(), run.trainer()).flops(), run.trainer().examples()));
        return onOps(config, device.plan(), counted.examples, run -> of(run, device, counted.flops));
    }

    private record Counted(long flops, SftTrainer.Examples examples) {}

    private static DevicePlan of(TrainRun run, ComputeDevice device, long flops) {
        return new DevicePlan(device, MemoryPlan.of(run.model().ops(), run.model(), run.trainer()).withFlops(flops));
    }

    private static TensorOps counting(ComputeDevice device) {
        try (TensorOps ops = device.plan()) {
            return NullOps.counting(ops.activationType());
        }
    }

    private static <T> T onOps(TrainConfig config, TensorOps ops, SftTrainer.Examples examples, Function<TrainRun, T> work) {
        try (TrainRun run = examples == null ? TrainRun.open(config, ops) : TrainRun.open(config, ops, examples)) {
            return work.apply(run);
        }
    }

    long bytes() {
        return plan.reservedBytes() + RUNTIME_BYTES;
    }

    boolean fits() {
        return bytes() <= device.memoryBytes();
    }

    /// Returns the examples of the run, for the run itself.
    /// Throws: InputException when the device has too little memory; it says by how much, and what would fit.
    static SftTrainer.Examples require(Configuration configuration, ComputeDevice device) {
        TrainConfig config = configuration.with(List.of());
        SftTrainer.Examples[] examples = new SftTrainer.Examples[1];
        DevicePlan asked = onOps(config, device.plan(), null, run -> {
            examples[0] = run.trainer().examples();
            return of(run, device, 0);
        });
        if (asked.fits()) return examples[0];
        throw new InputException(asked.lack() + "; " + remedy(configuration, device, examples[0]));
    }

    private String lack() {
        return String.format(Locale.ROOT, "the run needs %.2f GB on %s, which is %.2f GB more than its memory", bytes() / 1e9,
                device.name(), (bytes() - device.memoryBytes()) / 1e9);
    }

    private static String remedy(Configuration configuration, ComputeDevice device, SftTrainer.Examples examples) {
        List<List<String>> remedies = remedies(configuration.with(List.of()).training(), examples);
        for (List<String> changes : remedies) {
            Optional<DevicePlan> changed = changed(configuration.with(changes), device, examples);
            if (changed.isEmpty() || !changed.get().fits()) continue;
            return String.format(Locale.ROOT, "with %s it needs %.2f GB", said(changes), changed.get().bytes() / 1e9);
        }
        String failed = remedies.isEmpty() ? "no option makes it smaller"
                : "even with " + said(remedies.getLast()) + " it does not fit";
        return failed + ": take a smaller model or another device";
    }

    /// Empty when nothing to learn is left.
    private static Optional<DevicePlan> changed(TrainConfig config, ComputeDevice device, SftTrainer.Examples examples) {
        try {
            return Optional.of(onOps(config, device.plan(), examples, run -> of(run, device, 0)));
        } catch (InputException e) {
            return Optional.empty();
        }
    }

    private static String said(List<String> changes) {
        return String.join(", ", changes).replace("=", ": ");
    }

    /// What makes a run smaller, from what costs least on; each takes the ones before it along. Smaller batches of which more
    /// are accumulated give the same updates.
    private static List<List<String>> remedies(SftConfig config, SftTrainer.Examples examples) {
        List<List<String>> remedies = new ArrayList<>();
        List<String> changes = new ArrayList<>();
        if (config.gradientCheckpointing() != Checkpointing.LAYER) {
            changes.add("gradient_checkpointing=true");
            remedies.add(List.copyOf(changes));
        }
        if (!config.activationOffloading()) {
            changes.add("activation_offloading=true");
            remedies.add(List.copyOf(changes));
        }
        if (config.tiledMlpNumShards() == 1) {
            changes.add("tiled_mlp_num_shards=" + MLP_SHARDS);
            remedies.add(List.copyOf(changes));
        }
        int batch = config.perDeviceTrainBatchSize();
        int accumulation = config.gradientAccumulationSteps();
        List<String> smaller = List.of();
        while (batch > 1) {
            batch /= 2;
            accumulation *= 2;
            smaller = List.of("per_device_train_batch_size=" + batch, "gradient_accumulation_steps=" + accumulation);
            remedies.add(joined(changes, smaller));
        }
        changes.addAll(smaller);
        int longest = ExampleList.of(examples.train()).longest();
        int length = config.packing() ? config.maxLength() : Math.min(longest, config.maxLength());
        while ((length /= 2) >= SHORTEST) remedies.add(joined(changes, List.of("max_length=" + length)));
        return remedies;
    }

    private static List<String> joined(List<String> first, List<String> second) {
        List<String> all = new ArrayList<>(first);
        all.addAll(second);
        return all;
    }

    /// A table for people.
    @Override
    public String toString() {
        double excess = (bytes() - device.memoryBytes()) / 1e9;
        String verdict = fits() ? "fits on " + device.name()
                : String.format(Locale.ROOT, "does not fit on %s: %.2f GB too much", device.name(), excess);
        return plan.onDevice(RUNTIME_BYTES, device.memoryBytes()) + String.format("%n%s", verdict);
    }
}
