package dev.gale.train;

import dev.gale.optim.LrSchedule;
import dev.gale.optim.Optimizer;
import dev.gale.optim.ParamGroup;
import dev.gale.optim.ParamGroups;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.checkpoint.CheckpointStore;
import dev.gale.train.checkpoint.OutputFolder;
import dev.gale.train.data.Batch;
import dev.gale.train.data.BatchOptions;
import dev.gale.train.data.Batches;
import dev.gale.train.data.Dataset;
import dev.gale.train.data.Example;
import dev.gale.train.data.ExampleList;
import dev.gale.train.data.TrainingChecks;
import dev.gale.train.metric.EvalMetrics;
import dev.gale.train.metric.JsonlSink;
import dev.gale.train.metric.MetricSink;
import dev.gale.train.metric.TrainerState;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/// Supervised fine-tuning of whatever is trainable in a model: an adapter, or every weight. Builds the run and owns its
/// files; the steps are `TrainLoop`'s.
public final class SftTrainer {
    private final FastLanguageModel model;
    private final Examples examples;
    private final ExampleList train;
    private final ExampleList eval;
    private final SftConfig config;
    private final List<String> notes = new ArrayList<>();
    private final List<IntFunction<MetricSink>> observers = new ArrayList<>();
    private EvalFunction computeMetrics;

    /// Trains on a dataset's rows and evaluates on those it holds out, tokenized with the model's tokenizer.
    public SftTrainer(FastLanguageModel model, Dataset dataset, SftConfig config) {
        this(model, Examples.of(model, dataset, config), config);
    }

    /// @param train examples to learn from, each at most `max_length` long
    /// @param eval  held-out examples, perhaps none
    /// Throws: InputException when there is nothing to learn, nothing to learn with, an evaluation without examples, an
    /// example longer than the model's context, activations that the model's operations do not have, a router's loss
    /// that the model does not have, or the output would replace the model.
    public SftTrainer(FastLanguageModel model, List<Example> train, List<Example> eval, SftConfig config) {
        this(model, new Examples(train, train.size(), eval, eval.size()), config);
    }

    /// Tokenized examples as another trainer got them.
    ///
    /// @param train     to learn from
    /// @param trainRows number of rows that gave them
    /// @param eval      held out
    /// @param evalRows  number of rows that gave those
    /// @param notes     what to know of them before training
    public record Examples(List<Example> train, int trainRows, List<Example> eval, int evalRows, List<String> notes) {
        public Examples(List<Example> train, int trainRows, List<Example> eval, int evalRows) {
            this(train, trainRows, eval, evalRows, List.of());
        }

        /// Those of a dataset, tokenized with the model's tokenizer.
        /// Throws: InputException when they teach nothing, or never to end a turn: see `TrainingChecks`.
        public static Examples of(FastLanguageModel model, Dataset dataset, SftConfig config) {
            List<Example> train = dataset.examples(model.tokenizer(), config);
            List<String> notes = TrainingChecks.check(model.tokenizer(), dataset, config, train);
            List<Example> eval = dataset.evalExamples(model.tokenizer(), config);
            return new Examples(train, dataset.rows(), eval, dataset.evalRows(), notes);
        }
    }

    /// Trains on the examples of another trainer, which had the same or a larger `max_length`.
    public SftTrainer(FastLanguageModel model, Examples examples, SftConfig config) {
        this.model = model;
        this.config = config;
        this.examples = examples;
        notes.addAll(examples.notes);
        config.requireActivations(model.ops());
        config.auxLoss(model.model().config());                               // checks that there is one if there shall be
        this.train = prepared(examples.train, examples.trainRows, "examples");
        this.eval = prepared(examples.eval, examples.evalRows, "evaluation examples");
        requireContext();
        OutputFolder.requireApart(config.outputDir(), model.directory());
        if (this.train.isEmpty()) throw new InputException("the training data has no example with a token to learn");
        if (model.trainable().isEmpty()) {
            throw new InputException(
                    "nothing in the model is trainable: call getPeftModel first, or load it with full_finetuning");
        }
        if (config.evalStrategy() != SftConfig.EvalStrategy.NO && this.eval.isEmpty()) {
            throw new InputException("eval_strategy asks for evaluations, but there are no evaluation examples: "
                    + "give eval_path or test_size in dataset");
        }
    }

    /// Cut to the longest allowed length; those that then have nothing to learn are left out, which a note says.
    private ExampleList prepared(List<Example> examples, int rows, String what) {
        ExampleList kept = ExampleList.of(examples).cut(config.maxLength());
        if (kept.size() < rows) {
            notes.add("%d of %d %s have nothing to learn within max_length (%d) and are left out"
                    .formatted(rows - kept.size(), rows, what, config.maxLength()));
        }
        return kept;
    }

    private void requireContext() {
        int context = model.model().maxSeqLen();
        int longest = Math.max(train.longest(), eval.longest());
        if (longest <= context) return;
        throw new InputException("an example has %d tokens, but the model takes at most %d: set max_length to that"
                .formatted(longest, context));
    }

    /// Adds someone who watches the run, made when the number of its steps is known.
    public SftTrainer observe(IntFunction<MetricSink> observer) {
        observers.add(observer);
        return this;
    }

    /// Computes more metrics at each evaluation, logged as `eval_<name>`. They need the model's predictions, a second forward
    /// pass.
    public SftTrainer computeMetrics(EvalFunction function) {
        computeMetrics = function;
        return this;
    }

    /// The result of a run.
    ///
    /// @param globalStep optimizer steps in all, a resumed part included
    /// @param trainLoss  mean loss over the trained tokens of the steps that this call made
    /// @param seconds    wall time of this call
    /// @param lastEval   the newest evaluation, if there was one
    public record Summary(long globalStep, double trainLoss, double seconds, Optional<EvalMetrics> lastEval) {}

    public SftConfig config() {
        return config;
    }

    public Examples examples() {
        return examples;
    }

    /// Optimizer steps of the whole run.
    public int totalSteps() {
        return totalSteps(batches());
    }

    private int totalSteps(Batches batches) {
        return config.maxSteps() > 0 ? config.maxSteps()
                : batches.stepsOf(config.numTrainEpochs(), config.gradientAccumulationSteps());
    }

    private Batches batches() {
        return batches(train, config);
    }

    static Batches batches(List<Example> train, SftConfig config) {
        int size = config.perDeviceTrainBatchSize();
        return new Batches(train, config.packing() ? BatchOptions.packed(size, config.maxLength(), config.orderSeed())
                : BatchOptions.of(size, config.orderSeed()));
    }

    /// The micro-batches of a step that needs the most memory.
    List<Batch> largestStep() {
        return Collections.nCopies(config.gradientAccumulationSteps(), batches().largest());
    }

    /// What a run on a device goes through before its first step, and a plan too: where batches are as large as can be only
    /// now and then, what is smaller then lies in the memory that the largest one took, instead of beside it.
    void rehearse(TrainStep step) {
        if (hasSizes(model.ops())) step.rehearse(batches().largest());
    }

    /// Whether operations ask for few numbers of rows, for each of which they keep memory.
    private static boolean hasSizes(TensorOps ops) {
        return ops.batchRows(1) > 1;
    }

    /// Micro-batches of every number of rows that the first epoch's have, in the order in which they first come; none where
    /// operations take every number.
    List<Batch> sizes() {
        TensorOps ops = model.ops();
        if (!hasSizes(ops)) return List.of();
        Batches batches = batches();
        long last = Math.min(batches.microBatchesPerEpoch(), (long) totalSteps(batches) * config.gradientAccumulationSteps());
        Map<Integer, Integer> first = new LinkedHashMap<>();
        for (int i = 0; i < last; i++) first.putIfAbsent(ops.batchRows(batches.tokens(0, i)), i);
        return first.values().stream().map(index -> batches.microBatch(0, index)).toList();
    }

    /// The evaluation batch that needs the most memory, if the run evaluates.
    Optional<Batch> largestEvaluation() {
        boolean evaluates = config.evalStrategy() != SftConfig.EvalStrategy.NO || config.evalOnStart();
        if (!evaluates || eval.isEmpty()) return Optional.empty();
        return Batches.inOrder(eval, config.perDeviceEvalBatchSize()).stream().max(Comparator.comparingInt(Batch::tokens));
    }

    /// The optimizer of a run of `totalSteps`.
    static Optimizer optimizer(TensorOps ops, List<Parameter> trainable, SftConfig config, int totalSteps) {
        List<ParamGroup> groups = config.loraplusLrRatio().map(ratio -> LoraPlus.groups(trainable, config, ratio))
                .orElseGet(() -> ParamGroups.byDecay(trainable, config.weightDecay()));
        return Optimizer.of(config.optim(), ops, groups, config.optimizerSettings(totalSteps));
    }

    /// Measures what training minimizes.
    Evaluator evaluator() {
        return new Evaluator(model.ops(), model.model(), config.auxLoss(model.model().config()));
    }

    /// Loss, accuracy and perplexity on the evaluation examples, and what `computeMetrics` was given for.
    public EvalMetrics evaluate() {
        EvalMetrics metrics = evaluator().evaluate(Batches.inOrder(eval, config.perDeviceEvalBatchSize()));
        if (computeMetrics == null) return metrics;
        long begin = System.nanoTime();
        Map<String, Double> computed = computeMetrics.metrics(new Predictor(model.ops(), model.model()).predict(eval));
        return metrics.withComputed(computed, (System.nanoTime() - begin) / 1e9);
    }

    /// Trains to the end, from the checkpoint that the configuration names if it names one, and writes the result, its
    /// history and its checkpoints into `output_dir`.
    /// Throws: InputException when the output folder holds another run; TrainingException when a step cannot go on.
    public Summary train() {
        Optional<Path> resume = checkFolders(config);
        Path output = config.outputDir();
        CheckpointStore checkpoints = new CheckpointStore(output);
        Batches batches = batches();
        int totalSteps = totalSteps(batches);
        LrSchedule schedule = LrSchedule.of(config.lrSchedulerType(), config.learningRate(), config.warmupStepsOf(totalSteps),
                totalSteps, config.lrSchedulerKwargs());
        LoggedMeans means = new LoggedMeans();
        TrainerState state = resume.map(TrainerState::load).orElseGet(TrainerState::new);
        List<MetricSink> sinks = new ArrayList<>(List.of(state));
        try (Optimizer optimizer = optimizer(model.ops(), model.trainable(), config, totalSteps);
             TrainStep step = new TrainStep(model.ops(), model.model(), optimizer, config)) {
            RunCheckpoint writer = new RunCheckpoint(model, optimizer, step.scaler(), schedule, batches, means, state, config,
                    totalSteps);
            resume.ifPresent(writer::restore);
            rehearse(step);
            sinks.add(new JsonlSink(output.resolve("metrics.jsonl"), state.globalStep()));
            observers.forEach(observer -> sinks.add(observer.apply(totalSteps)));
            notes.forEach(note -> sinks.forEach(sink -> sink.note(note)));
            LastEval lastEval = new LastEval();
            TrainLoop loop = new TrainLoop(config, totalSteps, step, schedule, batches, eval.isEmpty() ? null : lastEval,
                    state, sinks, checkpoints, writer, means);
            long begin = System.nanoTime();
            double meanLoss = loop.run();
            double seconds = (System.nanoTime() - begin) / 1e9;
            optimizer.eval();
            finish(output, checkpoints, state, sinks, writer, meanLoss, seconds);
            return new Summary(state.globalStep(), meanLoss, seconds, Optional.ofNullable(lastEval.metrics));
        } finally {
            sinks.forEach(MetricSink::close);
        }
    }

    /// Evaluates and remembers.
    private final class LastEval implements Supplier<EvalMetrics> {
        private EvalMetrics metrics;

        @Override
        public EvalMetrics get() {
            metrics = evaluate();
            return metrics;
        }
    }

    /// Whether a run can begin or go on: what `train` finds out first, for those who want to know before they open a
    /// model. Returns the checkpoint to go on from, if there shall be one.
    /// Throws: InputException when `output_dir` cannot be written or holds another run, or there is no checkpoint.
    public static Optional<Path> checkFolders(SftConfig config) {
        OutputFolder.requireWritable("output_dir", config.outputDir());
        Optional<Path> resume = config.resumeFromCheckpoint().map(SftTrainer::checkpoint);
        if (resume.isEmpty() && !config.overwriteOutputDir()) requireFresh(config);
        return resume;
    }

    private static Path checkpoint(Path given) {
        Path name = given.getFileName();
        boolean itself = name != null && name.toString().startsWith("checkpoint-");
        return itself ? CheckpointStore.require(given) : new CheckpointStore(given).requireLatest();
    }

    private static void requireFresh(SftConfig config) {
        new CheckpointStore(config.outputDir()).latest().ifPresent(latest -> {
            throw new InputException(
                    "%s holds a run already (%s): go on with --resume, choose another output_dir, or set overwrite_output_dir"
                    .formatted(config.outputDir(), latest.getFileName()));
        });
        OutputFolder.requireNoResult(config.outputDir());
    }

    private void finish(Path output, CheckpointStore checkpoints, TrainerState state, List<MetricSink> sinks,
            RunCheckpoint writer,
                        double meanLoss, double seconds) {
        if (config.loadBestModelAtEnd() && state.bestCheckpoint() != null) {
            model.restore(output.resolve(state.bestCheckpoint()));
        }
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("epoch", state.epoch());
        entry.put("step", state.globalStep());
        entry.put("train_loss", meanLoss);
        entry.put("train_runtime", seconds);
        entry.put("num_tokens", state.tokensSeen());
        sinks.forEach(sink -> sink.log(entry));
        try {
            if (config.pissaConvert()) model.saveAsLora(output);
            else model.savePretrained(output);
            writer.writeState(output);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + output + ": " + e.getMessage(), e);
        }
    }
}
