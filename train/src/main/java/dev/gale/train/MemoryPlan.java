package dev.gale.train;

import dev.gale.optim.Optimizer;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.ops.NullOps;
import dev.gale.train.data.Batch;
import java.util.List;
import java.util.Locale;

/// What one optimizer step of a run needs, found by running that very step on operations that compute nothing: exact for
/// tensors, not an estimate beside the code.
///
/// @param parameters     parameters of the model, adapters included
/// @param trainable      those that training changes
/// @param mappedBytes    weights used straight from their files, which the page cache holds
/// @param parameterBytes weights and adapters in memory of their own
/// @param gradientBytes  gradients of trainable parameters
/// @param optimizerBytes optimizer state
/// @param peakBytes      highest sum of all live tensors, mapped weights not counted
/// @param reservedBytes  memory taken from the system for tensors: `peakBytes` and what the allocator cannot use
/// @param flops          arithmetic of one step
/// @param tokens         tokens of one step
public record MemoryPlan(long parameters, long trainable, long mappedBytes, long parameterBytes, long gradientBytes,
                         long optimizerBytes, long peakBytes, long reservedBytes, long flops, long tokens) {

    /// Heap, code and buffers of the Java process beside tensors, as measured on the demo and the step benchmark.
    public static final long RUNTIME_BYTES = 120_000_000L;

    /// Plans the largest step of a run whose model was opened on `ops`. It runs the step, twice: gradients come with the
    /// first.
    public static MemoryPlan of(NullOps ops, FastLanguageModel model, SftTrainer trainer) {
        SftConfig config = trainer.config();
        List<Batch> microBatches = trainer.largestStep();
        long mapped = 0;
        long count = 0;
        for (Parameter parameter : model.model().parameters()) {
            count += parameter.value().size();
            mapped += parameter.value().byteSize();
        }
        mapped -= Math.min(mapped, ops.memory().liveBytes());
        long parameterBytes = ops.memory().liveBytes();
        long trainable = model.trainable().stream().mapToLong(p -> p.value().size()).sum();
        try (Optimizer optimizer = SftTrainer.optimizer(ops, model.trainable(), config);
             TrainStep step = new TrainStep(ops, model.model(), optimizer, config)) {
            long optimizerBytes = ops.memory().liveBytes() - parameterBytes;
            step.run(microBatches, 1, config.learningRate());
            step.run(microBatches, 2, config.learningRate());
            long tokens = microBatches.stream().mapToLong(Batch::tokens).sum();
            return new MemoryPlan(count, trainable, mapped, parameterBytes, trainable * Float.BYTES, optimizerBytes,
                    ops.memory().peakLiveBytes(), ops.memory().reservedBytes(), ops.totalFlops() / 2, tokens);
        }
    }

    /// Bytes of the whole process at its peak.
    public long processBytes() {
        return mappedBytes + reservedBytes + RUNTIME_BYTES;
    }

    /// A table for people.
    @Override
    public String toString() {
        long activations = peakBytes - parameterBytes - gradientBytes - optimizerBytes;
        return String.format(Locale.ROOT, """
                parameters            %,16d
                trainable             %,16d  (%.2f %%)
                weights, mapped       %13s
                weights, in memory    %13s
                gradients             %13s
                optimizer state       %13s
                activations, scratch  %13s
                tensors at the peak   %13s
                process at the peak   %13s
                one step              %,16d tokens, %.1f GFLOP""",
                parameters, trainable, 100.0 * trainable / parameters, megabytes(mappedBytes), megabytes(parameterBytes),
                megabytes(gradientBytes), megabytes(optimizerBytes), megabytes(activations), megabytes(reservedBytes),
                megabytes(processBytes()), tokens, flops / 1e9);
    }

    private static String megabytes(long bytes) {
        return String.format(Locale.ROOT, "%,.1f MB", bytes / 1e6);
    }
}
