package dev.gale.train;

import dev.gale.optim.Optimizer;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.MemoryUse;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
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
/// @param hostBytes      host memory for what is not on the device all the time
/// @param flops          arithmetic of one step; 0 where it was not counted
/// @param tokens         tokens of one step
public record MemoryPlan(long parameters, long trainable, long mappedBytes, long parameterBytes, long gradientBytes,
                         long optimizerBytes, long peakBytes, long reservedBytes, long hostBytes, long flops, long tokens) {

    /// Heap, code and buffers of the Java process beside tensors, as measured on the demo and the step benchmark.
    public static final long RUNTIME_BYTES = 120_000_000L;

    /// Plans the largest step of a run whose model was opened on `ops`, which compute nothing. It runs the step, twice:
    /// the second finds free memory as every later one does. Where `ops` keep memory for each size of batch, a step of each
    /// size that the first epoch has comes after, and then an evaluation, if the run has any.
    public static MemoryPlan of(TensorOps ops, FastLanguageModel model, SftTrainer trainer) {
        SftConfig config = trainer.config();
        List<Batch> microBatches = trainer.largestStep();
        long parameterBytes = ops.memory().liveBytes();
        try (Optimizer optimizer = SftTrainer.optimizer(ops, model.trainable(), config, trainer.totalSteps());
             TrainStep step = new TrainStep(ops, model.model(), optimizer, config)) {
            long updateBytes = ops.memory().liveBytes() - parameterBytes;
            trainer.rehearse(step);
            step.run(microBatches, 1, config.learningRate());
            step.run(microBatches, 2, config.learningRate());
            for (Batch size : trainer.sizes()) step.run(List.of(size), 1, config.learningRate());
            long flops = flops(ops, 2);
            optimizer.eval();
            trainer.largestEvaluation().ifPresent(batch -> trainer.evaluator().evaluate(List.of(batch)));
            long tokens = microBatches.stream().mapToLong(Batch::tokens).sum();
            return of(ops, model.model().parameters(), parameterBytes, updateBytes, flops, tokens);
        }
    }

    /// Arithmetic of one of so many steps, where it was counted.
    static long flops(TensorOps ops, int steps) {
        return ops instanceof NullOps counting ? counting.totalFlops() / steps : 0;
    }

    /// @param parameterBytes of all parameters that have memory
    /// @param updateBytes    of gradients and optimizer state
    static MemoryPlan of(TensorOps ops, List<Parameter> parameters, long parameterBytes, long updateBytes, long flops,
            long tokens) {
        MemoryUse memory = ops.memory();
        long all = 0;
        long count = 0;
        long trainable = 0;
        for (Parameter parameter : parameters) {
            Tensor value = parameter.value();
            count += value.size();
            if (parameter.trainable()) trainable += value.size();
            all += value.byteSize() + (value.scales() == null ? 0 : value.scales().byteSize());
        }
        long mapped = memory.hostBytes() > 0 ? 0 : Math.max(0, all - parameterBytes);
        return new MemoryPlan(count, trainable, mapped, parameterBytes, trainable * Float.BYTES,
                updateBytes - trainable * Float.BYTES, memory.peakLiveBytes(), memory.reservedBytes(), memory.hostBytes(),
                flops, tokens);
    }

    /// The same plan with the arithmetic that another one counted.
    public MemoryPlan withFlops(long counted) {
        return new MemoryPlan(parameters, trainable, mappedBytes, parameterBytes, gradientBytes, optimizerBytes, peakBytes,
                reservedBytes, hostBytes, counted, tokens);
    }

    /// Bytes of the whole process at its peak.
    public long processBytes() {
        return mappedBytes + reservedBytes + RUNTIME_BYTES;
    }

    /// A table for people, for the memory of a process.
    @Override
    public String toString() {
        return table() + row("process at the peak", processBytes()) + work();
    }

    /// A table for people, for the memory of a device.
    ///
    /// @param rest   what the device holds beside tensors
    /// @param memory of the device
    public String onDevice(long rest, long memory) {
        return table() + row("context, libraries", rest) + row("on the device", reservedBytes + rest)
                + row("the device has", memory) + (hostBytes == 0 ? "" : row("in host memory", hostBytes)) + work();
    }

    private String table() {
        long activations = peakBytes - parameterBytes - gradientBytes - optimizerBytes;
        return String.format(Locale.ROOT, "parameters            %,16d%ntrainable             %,16d  (%.2f %%)%n", parameters,
                trainable, 100.0 * trainable / parameters)
                + row("weights, mapped", mappedBytes) + row("weights, in memory", parameterBytes)
                + row("gradients", gradientBytes) + row("optimizer state", optimizerBytes)
                + row("activations, scratch", activations) + row("tensors at the peak", reservedBytes);
    }

    private static String row(String name, long bytes) {
        return String.format(Locale.ROOT, "%-22s%,10.1f MB%n", name, bytes / 1e6);
    }

    private String work() {
        return String.format(Locale.ROOT, "one step              %,16d tokens", tokens)
                + (flops == 0 ? "" : String.format(Locale.ROOT, ", %.1f GFLOP", flops / 1e9));
    }
}
