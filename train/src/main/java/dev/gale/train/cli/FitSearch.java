package dev.gale.train.cli;

import dev.gale.nn.LoadOptions;
import dev.gale.nn.ModelConfig;
import dev.gale.peft.LoraConfig;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.Roofline;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import dev.gale.train.MemoryPlan;
import dev.gale.train.SftConfig;
import dev.gale.train.StepTrial;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/// Finds how a model's adapters can be trained in a device's memory: the fastest setting in which a step fits, and the longest
/// sequence. Every answer comes from a step that was run on the device's own allocator.
///
/// @param roofline  the least time of a step's arithmetic and traffic
/// @param linkBytes that go between host and device in a second
record FitSearch(ModelConfig config, Quantization quantization, int rank, int batch, ComputeDevice device, Roofline roofline,
                 double linkBytes) {
    private static final int LONGEST = 1 << 20;
    private static final int STEP = 1 << 10;

    /// A setting and what a step takes in it.
    record Fit(MemorySetting setting, MemoryPlan plan) {}

    private StepTrial trial(MemorySetting setting, int seq) {
        SftConfig training = setting.apply(SftConfig.builder()).build();
        LoadOptions options = LoadOptions.defaults().withDtype(DType.BF16).withQuantization(quantization)
                .withOnHost(setting.onHost())
                .withMaxSeqLen(Math.max(seq, config.maxSeqLen()));
        LoraConfig lora = LoraConfig.builder().r(rank).loraAlpha(rank).targetModules("all-linear").build();
        return new StepTrial(config, false, options, lora, training, batch, seq);
    }

    private Fit plan(MemorySetting setting, int seq) {
        try (TensorOps ops = device.plan()) {
            return new Fit(setting, trial(setting, seq).plan(ops));
        } catch (InputException e) {                        // one tensor is larger than a device can have
            return null;
        }
    }

    private boolean fits(Fit fit) {
        return fit != null && fit.plan.reservedBytes() + DevicePlan.RUNTIME_BYTES <= device.memoryBytes();
    }

    /// The first setting in which a step of sequences of this length fits; layers move to the host when nothing else helps.
    /// Throws: InputException when it does not fit at all.
    Fit fastest(int seq) {
        for (MemorySetting setting : MemorySetting.ladder()) {
            Fit fit = plan(setting, seq);
            if (fits(fit)) return fit;
        }
        MemorySetting least = MemorySetting.ladder().getLast();
        Fit best = plan(least.withStreamedLayers(config.numLayers()), seq);
        if (!fits(best)) {
            throw new InputException(String.format(Locale.ROOT,
                    "%d x %d tokens need %s on %s even with every layer in host memory: take "
                    + "shorter sequences, fewer bits or a smaller model", batch, seq, best == null
                    ? "more than a tensor may have"
                    : String.format(Locale.ROOT, "%.2f GB", (best.plan.reservedBytes() + DevicePlan.RUNTIME_BYTES) / 1e9),
                    device.name()));
        }
        int low = 2;                                          // fewer layers than slots save nothing
        int high = config.numLayers();
        while (low < high) {
            int middle = (low + high) / 2;
            Fit fit = plan(least.withStreamedLayers(middle), seq);
            if (fits(fit)) {
                best = fit;
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return best;
    }

    /// Tokens of the longest sequence of which a step fits, in steps of 1024; 0 when none does.
    int longest(MemorySetting setting) {
        int low = 0;
        int high = 1;
        while (high < LONGEST / STEP && fits(plan(setting, high * STEP))) {
            low = high;
            high *= 2;
        }
        high--;                                               // it did not fit, or is the last
        while (low < high) {
            int middle = (low + high + 1) / 2;
            if (fits(plan(setting, middle * STEP))) low = middle;
            else high = middle - 1;
        }
        return low * STEP;
    }

    /// Seconds of a step at least: its arithmetic and traffic on the device, or what goes to the host and back beside them.
    double seconds(Fit fit, int seq) {
        try (NullOps ops = NullOps.counting(DType.BF16)) {
            StepTrial trial = trial(fit.setting, seq);
            trial.run(ops, 2, step -> {
                if (step == 1) ops.resetCounts();
            });
            return Math.max(roofline.seconds(ops.counts().values()), linkTraffic(fit) / linkBytes);
        }
    }

    /// Bytes between host and device in one direction: layer inputs go and come, weights come for forward and for backward.
    private double linkTraffic(Fit fit) {
        double weights = 2.0 * IntStream.range(0, config.numLayers())
                .filter(layer -> fit.setting.onHost().piece(layer, config.numLayers()) >= 0)
                .mapToLong(layer -> config.layerBytes(layer, DType.BF16, quantization)).sum();
        double inputs = fit.setting.offload() ? (double) config.numLayers() * fit.plan.tokens() * config.hiddenSize() * 2 : 0;
        return weights + inputs;
    }

    /// For people.
    String report(int seq, List<String> how) {
        Fit fit = fastest(seq);
        StringBuilder text = new StringBuilder();
        text.append(String.format(Locale.ROOT, "%s, %d layers, %d x %d tokens, LoRA r %d, weights %s%n%n",
                config.architecture(), config.numLayers(), batch, seq, rank,
                quantization == null ? "bf16" : quantization.name().toLowerCase(Locale.ROOT)));
        text.append("the fastest setting that fits:\n");
        fit.setting.keys().forEach(key -> text.append("    ").append(key).append('\n'));
        how.forEach(key -> text.append("    ").append(key).append('\n'));
        text.append('\n').append(fit.plan.onDevice(DevicePlan.RUNTIME_BYTES, device.memoryBytes())).append('\n');
        double seconds = seconds(fit, seq);
        text.append(String.format(Locale.ROOT,
                "%nat %.0f TFLOP/s, %.2f TB/s and %.0f GB/s to the host: %.3f s a step at least, %,.0f tokens/s%n",
                roofline.flops() / 1e12, roofline.bytes() / 1e12, linkBytes / 1e9, seconds, fit.plan.tokens() / seconds));
        text.append(String.format(Locale.ROOT, "longest sequence that fits:%n%s%s", line("in this setting", fit.setting),
                line("with all but the weights of layers in host memory", MemorySetting.ladder().getLast())));
        return text.toString();
    }

    private String line(String what, MemorySetting setting) {
        int tokens = longest(setting);
        String beyond = tokens > config.maxSeqLen() ? ", more than the model's max_position_embeddings of %,d"
                .formatted(config.maxSeqLen())
                : "";
        return String.format(Locale.ROOT, "    %,d tokens %s%s%n", tokens, what, beyond);
    }
}
