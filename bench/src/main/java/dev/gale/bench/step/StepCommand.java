package dev.gale.bench.step;

import dev.gale.bench.ModelShape;
import dev.gale.bench.RunShape;
import dev.gale.bench.report.BenchCsv;
import dev.gale.bench.report.DeviceCsv;
import dev.gale.bench.report.ProfileTable;
import dev.gale.nn.HostWeights;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.ModelConfig;
import dev.gale.peft.LoraConfig;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.tensor.ops.KernelTime;
import dev.gale.tensor.ops.MemoryUse;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.OpCount;
import dev.gale.tensor.ops.Profiled;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import dev.gale.train.MemoryPlan;
import dev.gale.train.SftConfig;
import dev.gale.train.StepTrial;
import dev.gale.train.cli.DeviceOption;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gale bench step`: time, speed and memory of a whole LoRA step, on request the share of each kernel. The peers run the same
/// shapes in Transformers and PEFT, e.g. bench/peer/hf_lora_step.py.
@Command(name = "step", mixinStandardHelpOptions = true,
        description = "Measure LoRA steps of a model's shape with random weights; adds a row to cpu.csv or gpu.csv.")
public final class StepCommand implements Callable<Integer> {
    private static final List<String> COLUMNS = List.of("shape", "layers", "batch", "seq", "checkpointing", "quantization",
            "step_ms", "tokens_per_s", "peak_bytes", "reserved_bytes", "planned_bytes", "first_step_s", "settings",
            "host_bytes", "used_bytes");
    private static final int PROFILED_STEPS = 2;
    private static final int RANK = 16;
    private static final String ADAMW = "adamw_torch";

    @Spec
    private CommandSpec spec;

    @Mixin
    private DeviceOption device;

    @Mixin
    private RunShape given;

    @Option(names = "--checkpointing", paramLabel = "none|layer|selective", defaultValue = "none",
            description = "What backward computes again: nothing, each layer, or each layer but attention (${DEFAULT-VALUE}).")
    private Checkpointing checkpointing;

    @Option(names = "--quantization", paramLabel = "nf4|nf4_nested|fp4|fp4_nested|int8",
            description = "How the weights of the layers are stored, instead of dense.")
    private Quantization quantization;

    @Option(names = "--offload", description = "What checkpoints keep waits in host memory.")
    private boolean offload;

    @Option(names = "--mlp-shards", paramLabel = "N", defaultValue = "1",
            description = "Parts in which MLPs take the tokens (${DEFAULT-VALUE}).")
    private int mlpShards;

    @Option(names = "--offload-embedding", description = "Embedding and head stay in host memory.")
    private boolean offloadEmbedding;

    @Option(names = "--streamed-layers", paramLabel = "N", defaultValue = "0",
            description = "Layers that stay in host memory and come by turns (${DEFAULT-VALUE}).")
    private int streamedLayers;

    @Option(names = "--lora-r", paramLabel = "R", defaultValue = "" + RANK,
            description = "Rank of the adapters (${DEFAULT-VALUE}).")
    private int rank;

    @Option(names = "--optim", paramLabel = "NAME", defaultValue = ADAMW, description = "Optimizer (${DEFAULT-VALUE}).")
    private String optim;

    @Option(names = "--steps", paramLabel = "N", defaultValue = "6", description = "Steps in all (${DEFAULT-VALUE}).")
    private int steps;

    @Option(names = "--warmup", paramLabel = "N", description = "First ones, not measured; 2 on a GPU, 1 on the CPU.")
    private Integer warmup;

    @Option(names = "--layers", paramLabel = "L", description = "Other than the shape's, for a quick look.")
    private Integer layers;

    @Option(names = "--profile", description = "Then run once more, launch by launch, and print what each kernel takes (GPU).")
    private boolean profile;

    @Override
    public Integer call() throws IOException {
        given.check();
        RunShape.atLeastOne("--steps", steps);
        if (layers != null) RunShape.atLeastOne("--layers", layers);
        Optional<ComputeDevice> chosen = device.choose();
        int skipped = warmup != null ? warmup : Math.min(steps - 1, chosen.isPresent() ? 2 : 1);
        if (skipped < 0 || skipped >= steps) {
            throw new InputException("--warmup must be at least 0 and less than --steps %d, got %d".formatted(steps, skipped));
        }
        ModelShape shape = given.shape(chosen.isPresent());
        StepTrial run = trial(layers == null ? shape.config() : shape.config(layers), chosen.isPresent());
        if (chosen.isPresent()) {
            onDevice(chosen.get(), run, shape, skipped);
        } else if (profile) {
            throw new InputException("--profile needs a GPU: there are no kernels to measure on the CPU");
        } else {
            onCpu(run, shape, skipped);
        }
        return ExitCode.OK;
    }

    private StepTrial trial(ModelConfig config, boolean onDevice) {
        SftConfig training = SftConfig.builder().gradientCheckpointing(checkpointing).activationOffloading(offload)
                .tiledMlpNumShards(mlpShards).optim(optim).build();
        LoadOptions options = LoadOptions.defaults().withDtype(onDevice ? DType.BF16 : DType.F32).withQuantization(quantization)
                .withOnHost(new HostWeights(offloadEmbedding, streamedLayers));
        LoraConfig lora = LoraConfig.builder().r(rank).loraAlpha(rank).targetModules("all-linear").build();
        return new StepTrial(config, onDevice, options, lora, training, given.batch(), given.seq());
    }

    /// What differs from the plainest run, for tables.
    private String settings() {
        List<String> all = new ArrayList<>();
        if (rank != RANK) all.add("r " + rank);
        if (!optim.equals(ADAMW)) all.add(optim);
        if (offload) all.add("activation_offloading");
        if (mlpShards != 1) all.add("tiled_mlp_num_shards " + mlpShards);
        if (offloadEmbedding) all.add("offload_embedding");
        if (streamedLayers != 0) all.add("streamed_layers " + streamedLayers);
        return all.isEmpty() ? "-" : String.join("; ", all);
    }

    private void onCpu(StepTrial run, ModelShape shape, int skipped) throws IOException {
        long planned;
        double flops;
        try (NullOps ops = new NullOps()) {
            run.run(ops, 2, step -> {});                             // the second finds memory as later ones do
            flops = ops.totalFlops() / 2.0;
            planned = ops.memory().reservedBytes() + MemoryPlan.RUNTIME_BYTES;
        }
        try (CpuOps ops = new CpuOps()) {
            StepTrial.Steps taken = run.run(ops, steps, step -> {});
            if (refused(taken)) return;
            double best = taken.fastest(skipped);
            long rss = peakResidentBytes();
            print("step %.3f s (fastest of %d), %.1f tokens/s, %.1f GFLOP/s, tensors %.1f MB, process peak %.1f MB (plan %.1f "
                    + "MB)", best, steps - skipped, run.tokens() / best, flops / best / 1e9, ops.memory().reservedBytes() / 1e6,
                    rss / 1e6, planned / 1e6);
            String what = "%s lora-r16 %dx%d%s%s".formatted(shape.model(), run.batch(), run.seq(),
                    layers == null ? "" : " layers " + layers, checkpointing == Checkpointing.NONE ? "" : " checkpointing")
                    + (quantization == null ? "" : " " + name(quantization));
            BenchCsv csv = new BenchCsv(given.results().resolve("cpu.csv"));
            csv.add("lora step", what, ops.threads(), run.tokens() / best, "tokens/s");
            csv.add("lora step", what, ops.threads(), best, "s");
            csv.add("lora step", what, ops.threads(), rss / 1e6, "MB peak");
            csv.add("lora step", what, ops.threads(), planned / 1e6, "MB planned");
        }
    }

    /// Peak bytes are those of all tensors that live at once, which a peer's allocator calls allocated; reserved ones are taken
    /// from the device, and planned ones are what reserved ones should be.
    private void onDevice(ComputeDevice chosen, StepTrial run, ModelShape shape, int skipped) {
        print("%s, %s: %s, %d layers, %d x %d tokens, checkpointing %s, quantization %s, settings %s", chosen.name(),
                chosen.backend(), shape.label(), run.config().numLayers(), run.batch(), run.seq(), name(checkpointing),
                name(quantization), settings());
        double[] firstEnd = new double[1];
        StepTrial.Steps taken;
        MemoryUse memory;
        long[] used = new long[1];
        try (TensorOps ops = chosen.open()) {
            taken = run.run(ops, steps, step -> {
                if (step == 1) firstEnd[0] = secondsSinceStart();
                used[0] = ops.usedBytes();
            });
            memory = ops.memory();
        }
        long planned;
        try (TensorOps ops = chosen.plan()) {
            run.run(ops, 2, step -> {});
            planned = ops.memory().reservedBytes();
        }
        Map<String, OpCount> counts = counts(chosen, run);
        double flops = counts.values().stream().mapToDouble(OpCount::flops).sum();
        double median = taken.median(skipped);
        print("step %.1f ms (median of %d; all: %s)", median * 1e3, steps - skipped, milliseconds(taken.seconds()));
        print("%,.0f tokens/s, %.1f TFLOP/s, loss %.4f .. %.4f", run.tokens() / median, flops / median / 1e12,
                taken.losses().getFirst(), taken.losses().getLast());
        print("peak %.2f GB, reserved %.2f GB, planned %.2f GB, used on the device %.2f GB, on the host %.2f GB; first step "
                + "done %.1f s after the start", memory.peakLiveBytes() / 1e9, memory.reservedBytes() / 1e9, planned / 1e9,
                used[0] / 1e9, memory.hostBytes() / 1e9, firstEnd[0]);
        if (!refused(taken)) {
            new DeviceCsv(given.results().resolve("gpu.csv"), COLUMNS).add(chosen, List.of(shape.label(),
                    run.config().numLayers(), run.batch(), run.seq(), name(checkpointing), name(quantization), median * 1e3,
                    run.tokens() / median, memory.peakLiveBytes(), memory.reservedBytes(), planned, firstEnd[0], settings(),
                    memory.hostBytes(), used[0]));
        }
        if (profile) print("%n%s", profile(chosen, run, counts));
    }

    private String profile(ComputeDevice chosen, StepTrial run, Map<String, OpCount> counts) {
        List<KernelTime> times = new ArrayList<>();
        System.setProperty(Profiled.PROPERTY, "true");
        try (TensorOps ops = chosen.open()) {
            if (!(ops instanceof Profiled profiled)) throw new InputException("--profile: " + chosen.name()
                    + " cannot be profiled");
            run.run(ops, 1 + PROFILED_STEPS, step -> {
                List<KernelTime> taken = profiled.takeKernelTimes();
                if (step > 1) times.addAll(taken);
            });
        } finally {
            System.clearProperty(Profiled.PROPERTY);
        }
        return new ProfileTable(times, PROFILED_STEPS, counts, given.roofline()).text();
    }

    /// What one step does.
    private static Map<String, OpCount> counts(ComputeDevice chosen, StepTrial run) {
        try (TensorOps device = chosen.plan(); NullOps ops = NullOps.counting(device.activationType())) {
            run.run(ops, 2, step -> {
                if (step == 1) ops.resetCounts();
            });
            return ops.counts();
        }
    }

    private boolean refused(StepTrial.Steps taken) {
        if (taken.finite()) return false;
        spec.commandLine().getErr().println("gale: a loss or a gradient is not finite, so no row is added: the losses are "
                + taken.losses());
        return true;
    }

    private void print(String format, Object... values) {
        spec.commandLine().getOut().printf(Locale.ROOT, format + "%n", values);
        PrintWriter out = spec.commandLine().getOut();
        out.flush();
    }

    private static String name(Enum<?> constant) {
        return constant == null ? "none" : constant.name().toLowerCase(Locale.ROOT);
    }

    private static String milliseconds(List<Double> seconds) {
        return String.join(" ", seconds.stream().map(s -> String.format(Locale.ROOT, "%.1f", s * 1e3)).toList());
    }

    private static double secondsSinceStart() {
        return (System.currentTimeMillis() - ManagementFactory.getRuntimeMXBean().getStartTime()) / 1e3;
    }

    /// The kernel's record of the largest resident set (`VmHWM`), 0 where there is no such record.
    private static long peakResidentBytes() throws IOException {
        Path status = Path.of("/proc/self/status");
        if (!Files.exists(status)) return 0;
        return Files.readAllLines(status).stream().filter(line -> line.startsWith("VmHWM:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024).findFirst().orElse(0);
    }
}
