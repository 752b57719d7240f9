package dev.gale.bench.parity;

import dev.gale.bench.RunShape;
import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.ModelConfig;
import dev.gale.nn.RopeConfig;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.SftConfig;
import dev.gale.train.cli.DeviceOption;
import dev.gale.train.cli.QuantizationOption;
import dev.gale.train.demo.Demo;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gale bench parity`: whether a device learns what the CPU learns, and the same bits every time.
@Command(name = "parity", mixinStandardHelpOptions = true, description = "Train the same run on the CPU and twice on a device;"
        + " exit 1 when a loss differs by more than the tolerance, or the two runs on the device in a bit.")
public final class ParityCommand implements Callable<Integer> {
    private static final int DEMO_EXAMPLES = 500;

    @Spec
    private CommandSpec spec;

    @Mixin
    private DeviceOption device;

    @Option(names = "--demo", description = "Steps of what `gale demo` trains, instead of a model with random weights.")
    private boolean demo;

    @Option(names = "--model", paramLabel = "DIR", description = "A model folder, instead of a Llama with random weights.")
    private Path folder;

    @Mixin
    private QuantizationOption quantization;

    @Option(names = "--checkpointing", paramLabel = "none|layer|selective", defaultValue = "layer",
            description = "What backward computes again: nothing, each layer, or each layer but attention (${DEFAULT-VALUE}).")
    private Checkpointing checkpointing;

    @Option(names = "--layers", paramLabel = "L", defaultValue = "4", description = "Layers of the model (${DEFAULT-VALUE}).")
    private int layers;

    @Option(names = "--hidden", paramLabel = "D", defaultValue = "256", description = "Its width (${DEFAULT-VALUE}).")
    private int hidden;

    @Option(names = "--head", paramLabel = "K", defaultValue = "64", description = "Width of a head (${DEFAULT-VALUE}).")
    private int head;

    @Option(names = "--vocab", paramLabel = "V", defaultValue = "2048", description = "Its vocabulary (${DEFAULT-VALUE}).")
    private int vocab;

    @Option(names = "--batch", paramLabel = "B", defaultValue = "4", description = "Sequences of a step (${DEFAULT-VALUE}).")
    private int batch;

    @Option(names = "--seq", paramLabel = "S", defaultValue = "128", description = "Tokens of a sequence (${DEFAULT-VALUE}).")
    private int seq;

    @Option(names = "--steps", paramLabel = "N", defaultValue = "50", description = "Steps (${DEFAULT-VALUE}).")
    private int steps;

    @Option(names = "--lr", paramLabel = "R", defaultValue = "2e-3", description = "Learning rate (${DEFAULT-VALUE}).")
    private double lr;

    @Option(names = "--tolerance", paramLabel = "T", defaultValue = "0.01",
            description = "Largest difference of a loss, relative to the CPU's (${DEFAULT-VALUE}).")
    private double tolerance;

    @Override
    public Integer call() throws IOException {
        check();
        ComputeDevice chosen = device.choose().orElseThrow(() -> new InputException(
                "parity compares a device with the CPU: give --device gpu, and see `gale devices`"));
        if (!demo) {
            SftConfig training = SftConfig.builder().gradientCheckpointing(checkpointing).build();
            return compare(chosen, new LoraRun(model(), training, batch, seq, steps, lr)::run);
        }
        Path folder = Files.createTempDirectory("gale-parity");
        try {
            return compare(chosen, DemoRun.in(new Demo(folder), DEMO_EXAMPLES, steps)::run);
        } finally {
            deleteTree(folder);
        }
    }

    private Function<TensorOps, CausalLm> model() {
        LoadOptions options = quantization.loadOptions();
        if (folder != null) return ops -> CausalLm.load(folder, options, ops);
        int heads = hidden / head;
        int keyHeads = heads % 2 == 0 ? heads / 2 : heads;                  // two query heads share one, if there are two
        ModelConfig llama = new ModelConfig("LlamaForCausalLM", hidden, 3 * hidden, layers, heads, keyHeads, head, vocab, seq,
                1e-5, Activation.SILU, false, false, true, RopeConfig.plain(10000), 1, List.of(2), -1, DType.BF16, 0.06);
        return ops -> CausalLm.random(llama, LoraRun.SEED, options.withDtype(DType.BF16), ops);
    }

    private void check() {
        RunShape.atLeastOne("--layers", layers);
        RunShape.atLeastOne("--head", head);
        RunShape.atLeastOne("--hidden", hidden);
        RunShape.atLeastOne("--batch", batch);
        RunShape.atLeastOne("--steps", steps);
        if (hidden % head != 0) throw new InputException("--hidden %d is no multiple of --head %d".formatted(hidden, head));
        if (head % 2 != 0) throw new InputException("--head must be even, got " + head);
        if (seq < 2) throw new InputException("--seq must be at least 2, got " + seq);
        if (vocab < Successors.ALPHABET) {
            throw new InputException("--vocab must be at least %d, got %d".formatted(Successors.ALPHABET, vocab));
        }
        if (!(lr > 0)) throw new InputException("--lr must be above 0, got " + lr);
        if (!(tolerance >= 0)) throw new InputException("--tolerance must be at least 0, got " + tolerance);
    }

    private int compare(ComputeDevice chosen, Function<TensorOps, Curve> run) {
        print("%s, %s: %d steps", chosen.name(), chosen.backend(), steps);
        Curve cpu = curve("cpu", CpuOps::new, run);
        Curve first = curve("device", chosen::open, run);
        Curve second = curve("again", chosen::open, run);
        int farthest = cpu.farthest(first);
        double difference = cpu.difference(first, farthest);
        boolean same = first.equals(second);
        print("largest difference %.4f %% at step %d: %.6f on the CPU, %.6f on the device; tolerance %s %%", 100 * difference,
                farthest + 1, cpu.losses().get(farthest), first.losses().get(farthest), 100 * tolerance);
        print("two runs on the device: %s", same ? "equal bits" : "bits differ");
        return difference <= tolerance && same ? ExitCode.OK : ExitCode.SOFTWARE;
    }

    private Curve curve(String where, Supplier<TensorOps> open, Function<TensorOps, Curve> run) {
        long begin = System.nanoTime();
        Curve curve;
        try (TensorOps ops = open.get()) {
            curve = run.apply(ops);
        }
        List<Double> losses = curve.losses();
        print("%-7s loss %.6f .. %.6f, checksum %08x, %.1f s", where, losses.getFirst(), losses.getLast(), curve.checksum(),
                (System.nanoTime() - begin) / 1e9);
        return curve;
    }

    private void print(String format, Object... values) {
        PrintWriter out = spec.commandLine().getOut();
        out.println(String.format(Locale.ROOT, format, values));
        out.flush();
    }

    private static void deleteTree(Path root) throws IOException {
        try (Stream<Path> paths = Files.walk(root)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) Files.delete(path);
        }
    }
}
