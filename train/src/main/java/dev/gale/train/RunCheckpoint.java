package dev.gale.train;

import dev.gale.nn.safetensors.Safetensors;
import dev.gale.nn.safetensors.SafetensorsWriter;
import dev.gale.optim.LossScaler;
import dev.gale.optim.LrSchedule;
import dev.gale.optim.Optimizer;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Tensor;
import dev.gale.train.data.Batches;
import dev.gale.train.metric.TrainerState;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/// What a checkpoint of a run consists of: the model or adapter files, and what a resume needs to go on bit for bit:
/// optimizer state, schedule, loss scale, data cursor, log sums. Random numbers need no state: seed and step count them.
final class RunCheckpoint {
    private static final String OPTIMIZER = "optimizer.safetensors";

    private final FastLanguageModel model;
    private final Optimizer optimizer;
    private final Optional<LossScaler> scaler;
    private final LrSchedule schedule;
    private final Batches batches;
    private final LoggedMeans means;
    private final TrainerState state;
    private final SftConfig config;
    private final int totalSteps;

    RunCheckpoint(FastLanguageModel model, Optimizer optimizer, Optional<LossScaler> scaler, LrSchedule schedule,
                  Batches batches, LoggedMeans means, TrainerState state, SftConfig config, int totalSteps) {
        this.model = model;
        this.optimizer = optimizer;
        this.scaler = scaler;
        this.schedule = schedule;
        this.batches = batches;
        this.means = means;
        this.state = state;
        this.config = config;
        this.totalSteps = totalSteps;
    }

    /// The files of the model have the values to evaluate, the optimizer's those to train, if these are others.
    void write(Path directory) throws IOException {
        optimizer.eval();
        model.saveExact(directory);
        if (!config.saveOnlyModel()) {
            new SafetensorsWriter(model.ops(), null).write(directory.resolve(OPTIMIZER), optimizer.state());
        }
        writeState(directory);
    }

    /// Writes `trainer_state.json`, which closes a run too.
    void writeState(Path directory) throws IOException {
        Map<String, Object> run = new LinkedHashMap<>();
        run.put("logging_steps", config.loggingStepsOf(totalSteps));
        run.put("max_steps", totalSteps);
        run.put("num_train_epochs", config.numTrainEpochs());
        run.put("save_steps", config.saveStepsOf(totalSteps));
        run.put("train_batch_size", config.perDeviceTrainBatchSize());
        state.save(directory, run, resumeState());
    }

    private Map<String, Object> resumeState() {
        Map<String, Object> resume = new LinkedHashMap<>();
        resume.put("batches", batches.state());
        resume.put("schedule", schedule.state());
        resume.put("means", means.state());
        scaler.ifPresent(loss -> resume.put("loss_scaler", loss.state()));
        resume.put("seed", config.seed());
        return resume;
    }

    /// Takes over a checkpoint, parameters included.
    /// Throws: InputException when it is not one of this run's kind.
    @SuppressWarnings("unchecked")
    void restore(Path directory) {
        Map<String, Object> resume = TrainerState.resumeState(directory);
        if (((Number) resume.get("seed")).longValue() != config.seed()) {
            throw new InputException("%s was made with seed %s, but this run has seed %d: use the same to resume"
                    .formatted(directory, resume.get("seed"), config.seed()));
        }
        batches.restore((Map<String, Object>) resume.get("batches"), directory.toString());
        Path file = directory.resolve(OPTIMIZER);
        if (!Files.exists(file)) {
            throw new InputException(file + " is missing (save_only_model?): resume from another checkpoint");
        }
        model.restore(directory);                              // first: the optimizer may have other values to train
        try (Safetensors saved = Safetensors.open(file)) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (String name : saved.names()) tensors.put(name, saved.tensor(name));
            optimizer.restore(tensors, file.toString());
        }
        schedule.restore(numbers(resume.get("schedule")));
        if (resume.containsKey("loss_scaler")) {               // not in a checkpoint of another precision
            scaler.ifPresent(loss -> loss.restore(numbers(resume.get("loss_scaler")), directory.toString()));
        }
        means.restore((Map<String, Object>) resume.get("means"));
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Double> numbers(Object saved) {
        Map<String, Double> numbers = new LinkedHashMap<>();
        ((Map<String, Object>) saved).forEach((key, value) -> numbers.put(key, ((Number) value).doubleValue()));
        return numbers;
    }
}
