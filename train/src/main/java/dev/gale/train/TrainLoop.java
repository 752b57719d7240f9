package dev.gale.train;

import dev.gale.optim.LossScaler;
import dev.gale.optim.LrSchedule;
import dev.gale.tensor.InputException;
import dev.gale.train.SftConfig.EvalStrategy;
import dev.gale.train.SftConfig.SaveStrategy;
import dev.gale.train.checkpoint.CheckpointStore;
import dev.gale.train.data.Batch;
import dev.gale.train.data.Batches;
import dev.gale.train.metric.EvalMetrics;
import dev.gale.train.metric.MetricSink;
import dev.gale.train.metric.StepMetrics;
import dev.gale.train.metric.TrainerState;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Supplier;

/// Decides when to step, log, evaluate and save; what a step is stands in `TrainStep`.
final class TrainLoop {
    private final SftConfig config;
    private final int totalSteps;
    private final TrainStep step;
    private final LrSchedule schedule;
    private final Batches batches;
    private final Supplier<EvalMetrics> evaluation;      // null without evaluation data
    private final TrainerState state;
    private final List<MetricSink> sinks;                // state among them
    private final CheckpointStore checkpoints;
    private final RunCheckpoint writer;
    private final LoggedMeans means;

    TrainLoop(SftConfig config, int totalSteps, TrainStep step, LrSchedule schedule, Batches batches,
              Supplier<EvalMetrics> evaluation, TrainerState state, List<MetricSink> sinks, CheckpointStore checkpoints,
              RunCheckpoint writer, LoggedMeans means) {
        this.config = config;
        this.totalSteps = totalSteps;
        this.step = step;
        this.schedule = schedule;
        this.batches = batches;
        this.evaluation = evaluation;
        this.state = state;
        this.sinks = sinks;
        this.checkpoints = checkpoints;
        this.writer = writer;
        this.means = means;
    }

    /// Steps from where the state stands to the end. Returns the mean loss over the tokens trained on the way.
    /// Throws: TrainingException with the step when something fails that the input is not to blame for.
    double run() {
        double lossSum = 0;
        long trainedTokens = 0;
        int number = 0;
        try {
            if (config.evalOnStart() && state.globalStep() == 0) evaluate();
            while (state.globalStep() < totalSteps) {
                number = (int) state.globalStep() + 1;
                StepMetrics metrics = nextStep(number);
                if (Double.isFinite(metrics.loss())) {
                    lossSum += metrics.loss() * metrics.trainedTokens();
                    trainedTokens += metrics.trainedTokens();
                }
                sinks.forEach(sink -> sink.step(metrics));
                means.add(metrics);
                afterStep(number, batches.atEpochEnd() || number == totalSteps);
            }
        } catch (TrainingException | InputException e) {
            throw e;
        } catch (RuntimeException | Error e) {
            throw failed(number, e);
        }
        return trainedTokens == 0 ? 0 : lossSum / trainedTokens;
    }

    /// A device that fails may throw anything. What was saved before stays as it is.
    private TrainingException failed(int number, Throwable cause) {
        String remedy = checkpoints.latest().map(latest -> "go on from %s with --resume".formatted(latest.getFileName()))
                .orElse("there is no checkpoint to go on from");
        String reason = cause.getMessage() == null ? cause.toString() : cause.getMessage().lines().findFirst().orElse("");
        return new TrainingException("step %d: %s; %s".formatted(number, reason, remedy), cause);
    }

    private StepMetrics nextStep(int number) {
        double lr = schedule.at(number - 1 - skipped());
        OptionalDouble lossScale = step.scaler().map(scaler -> OptionalDouble.of(scaler.scale()))
                .orElse(OptionalDouble.empty());
        long begin = System.nanoTime();
        List<Batch> microBatches = batches.nextStep(config.gradientAccumulationSteps());
        TrainStep.Result result = step.run(microBatches, number, lr);
        return new StepMetrics(number, batches.epoch(), result.loss(), result.auxLoss(), result.accuracy(), result.gradNorm(),
                lr, result.trainedTokens(), result.tokens(), (System.nanoTime() - begin) / 1e9, lossScale, skipped());
    }

    /// Steps that the schedule does not count.
    private int skipped() {
        return step.scaler().map(LossScaler::skipped).orElse(0);
    }

    private void afterStep(int number, boolean epochEnds) {
        boolean last = number == totalSteps;
        boolean logged = last || number % config.loggingStepsOf(totalSteps) == 0 || config.loggingFirstStep() && number == 1;
        if (logged) log(means.entry(state.tokensSeen()));
        boolean evaluates = switch (config.evalStrategy()) {
            case NO -> false;
            case STEPS -> number % config.evalStepsOf(totalSteps) == 0;
            case EPOCH -> epochEnds;
        };
        boolean improved = evaluates && evaluate();
        boolean saves = switch (config.saveStrategy()) {
            case NO -> false;
            case STEPS -> last || number % config.saveStepsOf(totalSteps) == 0;
            case EPOCH -> epochEnds;
            case BEST -> improved;
        };
        if (saves) {
            checkpoints.save(number, writer::write);
            checkpoints.prune(config.saveTotalLimit(), config.loadBestModelAtEnd() ? state.bestCheckpoint() : null);
        }
    }

    /// Returns whether the metric for the best model improved.
    private boolean evaluate() {
        if (evaluation == null) return false;
        step.eval();
        EvalMetrics metrics = evaluation.get();
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("epoch", state.epoch());
        metrics.auxLoss().ifPresent(aux -> entry.put("eval_aux_loss", aux));
        entry.put("eval_loss", metrics.loss());
        entry.put("eval_perplexity", metrics.perplexity());
        entry.put("eval_mean_token_accuracy", metrics.accuracy());
        entry.put("eval_runtime", metrics.seconds());
        entry.put("eval_samples_per_second", metrics.sequences() / metrics.seconds());
        metrics.computed().forEach((name, value) -> entry.putIfAbsent(name.startsWith("eval_") ? name : "eval_" + name, value));
        entry.put("step", state.globalStep());
        log(entry);
        schedule.observe(metrics.loss());
        if (!(entry.get(config.bestMetric()) instanceof Number best)) throw new TrainingException(
                "metric_for_best_model is '%s', but an evaluation reports %s".formatted(config.metricForBestModel(),
                entry.keySet()));
        return state.offerBest(best.doubleValue(), config.bestIsGreatest(), "checkpoint-" + state.globalStep());
    }

    private void log(Map<String, Object> entry) {
        sinks.forEach(sink -> sink.log(entry));
    }
}
