package dev.gale.train;

import dev.gale.nn.ActivationMemory;
import dev.gale.nn.AuxLoss;
import dev.gale.nn.HfConfig;
import dev.gale.nn.Mixture;
import dev.gale.nn.ModelConfig;
import dev.gale.optim.LrSchedule;
import dev.gale.optim.OptimArgs;
import dev.gale.optim.Optimizer;
import dev.gale.optim.OptimizerSettings;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.ops.TensorOps;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Options of a supervised fine-tuning run: names, meanings and defaults of Hugging Face's `TrainingArguments` and
/// TRL's `SFTConfig`. YAML files spell them in snake_case. Build one with
/// `SftConfig.builder().learningRate(2e-4).build()`.
///
/// An interval ("steps or share") is a whole number of optimizer steps, or, below 1, a share of the whole run.
///
/// @param outputDir                 folder for checkpoints, metrics and the result
/// @param overwriteOutputDir        write into `outputDir` although another run's checkpoints are there
/// @param numTrainEpochs            passes over the training data; a fraction is allowed
/// @param maxSteps                  optimizer steps of the run; above 0 it overrides `numTrainEpochs`
/// @param perDeviceTrainBatchSize   examples of a micro-batch; when packing, token budgets of `maxLength`
/// @param perDeviceEvalBatchSize    the same for evaluation
/// @param gradientAccumulationSteps micro-batches of an optimizer step
/// @param learningRate              peak of the schedule
/// @param weightDecay               decoupled decay of everything but biases and norm weights
/// @param adamBeta1                 decay of the first moment
/// @param adamBeta2                 decay of the second moment
/// @param adamEpsilon               added to the root of the second moment
/// @param maxGradNorm               bound of the global gradient norm; 0 does not clip
/// @param optim                     optimizer, one of `Optimizer.names()`
/// @param optimArgs                 options of that optimizer, e.g. `rank=64, scale=0.25`
/// @param optimTargetModules        modules whose gradients GaLore projects: parts of names, expressions, or `all-linear`
/// @param loraplusLrRatio           how many times as fast as A the B of an adapter learns (LoRA+); when empty, as fast
/// @param loraplusLrEmbedding       learning rate of an embedding's adapter, where there is a `loraplusLrRatio`
/// @param pissaConvert              write the adapter of a start that changed the base (`pissa`, `olora`) as a plain one for
///                                  the original base in the end
/// @param lrSchedulerType           name of the learning-rate schedule, one of `LrSchedule.names()`
/// @param lrSchedulerKwargs         options of that schedule, e.g. `num_cycles`
/// @param warmupSteps               linear warmup, steps or share
/// @param loggingSteps              interval of log entries, steps or share
/// @param loggingFirstStep          log the first step too
/// @param evalStrategy              when to evaluate
/// @param evalSteps                 interval of evaluations, steps or share; 0 takes `loggingSteps`
/// @param evalOnStart               evaluate before the first step
/// @param saveStrategy              when to write checkpoints
/// @param saveSteps                 interval of checkpoints, steps or share
/// @param saveTotalLimit            checkpoints to keep, the best and the newest always among them; 0 keeps all
/// @param saveOnlyModel             leave out what only a resume needs
/// @param loadBestModelAtEnd        finish with the weights of the best checkpoint
/// @param metricForBestModel        evaluation metric that decides, with or without `eval_`
/// @param greaterIsBetter           whether more is better; when empty, known from the metric
/// @param seed                      of adapter initialization and dropout
/// @param dataSeed                  of the order of examples; when empty, `seed`
/// @param gradientCheckpointing     what of a layer's activations backward makes again instead of keeping it; written
///                                  `true` (all), `false`, or `selective` (all but attention: for long sequences)
/// @param activationOffloading      keep what layers leave until backward in host memory
/// @param tiledMlpNumShards         parts in which MLPs take the tokens of a batch, one after the other; 1 takes all at once
/// @param fp16                      activations and their gradients in F16, with a loss scale; for a device
/// @param bf16                      activations and their gradients in BF16, for a device; without either, it decides
/// @param maxLength                 longest example in tokens, the rest is cut off
/// @param packing                   put several examples into one token budget
/// @param completionOnlyLoss        train on completions only; when empty, wherever prompt and completion are apart
/// @param assistantOnlyLoss         train on what the assistant says only; needs conversations
/// @param outputRouterLogits        add the load-balancing loss of a mixture of experts; when empty, wherever there is a
///                                  `routerAuxLossCoef` above 0, and without one where the model's config.json says so
/// @param routerAuxLossCoef         factor of that loss; when empty, the one of config.json
/// @param resumeFromCheckpoint      checkpoint to go on from, or a folder whose newest checkpoint is taken
public record SftConfig(
        Path outputDir,
        boolean overwriteOutputDir,
        double numTrainEpochs,
        int maxSteps,
        int perDeviceTrainBatchSize,
        int perDeviceEvalBatchSize,
        int gradientAccumulationSteps,
        double learningRate,
        double weightDecay,
        double adamBeta1,
        double adamBeta2,
        double adamEpsilon,
        double maxGradNorm,
        String optim,
        OptimArgs optimArgs,
        List<String> optimTargetModules,
        Optional<Double> loraplusLrRatio,
        double loraplusLrEmbedding,
        boolean pissaConvert,
        String lrSchedulerType,
        Map<String, Object> lrSchedulerKwargs,
        double warmupSteps,
        double loggingSteps,
        boolean loggingFirstStep,
        EvalStrategy evalStrategy,
        double evalSteps,
        boolean evalOnStart,
        SaveStrategy saveStrategy,
        double saveSteps,
        int saveTotalLimit,
        boolean saveOnlyModel,
        boolean loadBestModelAtEnd,
        String metricForBestModel,
        Optional<Boolean> greaterIsBetter,
        long seed,
        Optional<Long> dataSeed,
        Checkpointing gradientCheckpointing,
        boolean activationOffloading,
        int tiledMlpNumShards,
        boolean fp16,
        boolean bf16,
        int maxLength,
        boolean packing,
        Optional<Boolean> completionOnlyLoss,
        boolean assistantOnlyLoss,
        Optional<Boolean> outputRouterLogits,
        Optional<Double> routerAuxLossCoef,
        Optional<Path> resumeFromCheckpoint) {

    /// When to evaluate.
    public enum EvalStrategy { NO, STEPS, EPOCH }

    /// When to write checkpoints; `BEST` whenever the metric for the best model improved.
    public enum SaveStrategy { NO, STEPS, EPOCH, BEST }

    public SftConfig {
        require(!outputDir.toString().isBlank(), "output_dir", "the path of a folder", "''");
        require(numTrainEpochs > 0 && Double.isFinite(numTrainEpochs) || maxSteps > 0,
                "num_train_epochs", "above 0 (or set max_steps)", numTrainEpochs);
        require(maxSteps > 0 || maxSteps == -1, "max_steps", "at least 1, or -1 to count epochs", maxSteps);
        requireAtLeastOne("per_device_train_batch_size", perDeviceTrainBatchSize);
        requireAtLeastOne("per_device_eval_batch_size", perDeviceEvalBatchSize);
        requireAtLeastOne("gradient_accumulation_steps", gradientAccumulationSteps);
        require(learningRate > 0 && Double.isFinite(learningRate), "learning_rate", "above 0 and finite", learningRate);
        requireNotNegative("weight_decay", weightDecay);
        require(adamBeta1 >= 0 && adamBeta1 < 1, "adam_beta1", "in [0, 1)", adamBeta1);
        require(adamBeta2 >= 0 && adamBeta2 < 1, "adam_beta2", "in [0, 1)", adamBeta2);
        require(adamEpsilon > 0 && Double.isFinite(adamEpsilon), "adam_epsilon", "above 0", adamEpsilon);
        requireNotNegative("max_grad_norm", maxGradNorm);
        double ratio = loraplusLrRatio.orElse(1.0);
        require(ratio > 0 && Double.isFinite(ratio), "loraplus_lr_ratio", "above 0 and finite", ratio);
        requireNotNegative("loraplus_lr_embedding", loraplusLrEmbedding);
        if (!LrSchedule.names().contains(lrSchedulerType)) {
            throw InputException.unknown("lr_scheduler_type", lrSchedulerType, LrSchedule.names());
        }
        requireInterval("warmup_steps", warmupSteps, true);
        optimTargetModules = List.copyOf(optimTargetModules);
        Optimizer.check(optim,
                new OptimizerSettings(adamBeta1, adamBeta2, adamEpsilon, 0, seed, optimArgs, optimTargetModules));
        requireInterval("logging_steps", loggingSteps, false);
        requireInterval("eval_steps", evalSteps, true);
        requireInterval("save_steps", saveSteps, false);
        require(saveTotalLimit >= 0, "save_total_limit", "at least 0", saveTotalLimit);
        require(!metricForBestModel.isBlank(), "metric_for_best_model", "the name of a metric", "''");
        if (fp16 && bf16) throw new InputException(
                "fp16 and bf16 are both true, but activations have one dtype: leave one out");
        requireAtLeastOne("max_length", maxLength);
        new ActivationMemory(gradientCheckpointing, activationOffloading, tiledMlpNumShards);       // checks them
        requireNotNegative("router_aux_loss_coef", routerAuxLossCoef.orElse(0.0));
        boolean needsBest = loadBestModelAtEnd || saveStrategy == SaveStrategy.BEST;
        if (needsBest && evalStrategy == EvalStrategy.NO) {
            throw new InputException("load_best_model_at_end and save_strategy 'best' need evaluations: "
                    + "set eval_strategy to 'steps' or 'epoch'");
        }
        if (loadBestModelAtEnd && saveStrategy == SaveStrategy.NO) {
            throw new InputException("load_best_model_at_end needs checkpoints: set save_strategy to 'best'");
        }
        lrSchedulerKwargs = Collections.unmodifiableMap(new LinkedHashMap<>(lrSchedulerKwargs));
    }

    /// What a pass keeps of activations, and where.
    public ActivationMemory activationMemory() {
        return new ActivationMemory(gradientCheckpointing, activationOffloading, tiledMlpNumShards);
    }

    /// The router's loss of a run with that model; empty for a run without it.
    /// Throws: InputException when an option asks for what the model does not have.
    public Optional<AuxLoss> auxLoss(ModelConfig model) {
        Mixture mixture = model.variant().mixture();
        AuxLoss own = mixture == null ? null : mixture.auxLoss();
        if (own == null && (outputRouterLogits.isPresent() || routerAuxLossCoef.isPresent())) {
            throw new InputException("%s is for a router's load-balancing loss, which %s does not have: leave it out".formatted(
                    outputRouterLogits.isPresent() ? "output_router_logits" : "router_aux_loss_coef", model.architecture()));
        }
        if (own == null) return Optional.empty();
        AuxLoss asked = new AuxLoss(outputRouterLogits.orElse(routerAuxLossCoef.map(coef -> coef > 0).orElse(own.enabled())),
                routerAuxLossCoef.orElse(own.coef()));
        return Optional.of(asked).filter(AuxLoss::enabled);
    }

    public static SftConfigBuilder builder() {
        return new SftConfigBuilder();
    }

    /// What the optimizer of a run of `totalSteps` is made with.
    public OptimizerSettings optimizerSettings(int totalSteps) {
        return new OptimizerSettings(adamBeta1, adamBeta2, adamEpsilon, warmupStepsOf(totalSteps), seed, optimArgs,
                optimTargetModules);
    }

    /// The dtype of activations that the run asks for, if it does.
    public Optional<DType> activationType() {
        if (fp16) return Optional.of(DType.F16);
        return bf16 ? Optional.of(DType.BF16) : Optional.empty();
    }

    /// Throws: InputException when the run asks for activations in a dtype that the operations do not have them in.
    void requireActivations(TensorOps ops) {
        activationType().filter(asked -> asked != ops.activationType()).ifPresent(asked -> {
            throw new InputException(ops.onHost() ? onCpu()
                    : ("%s asks for activations in another dtype than %s, in which the model was opened: open it on such "
                            + "a device")
                            .formatted(fp16 ? "fp16" : "bf16", HfConfig.dtypeName(ops.activationType())));
        });
    }

    /// Why a run that asks for a dtype cannot be on the CPU.
    public String onCpu() {
        String key = fp16 ? "fp16" : "bf16";
        return "%s is true, but the CPU computes in f32: leave %s out, or choose a GPU".formatted(key, key);
    }

    /// Warmup steps of a run of `totalSteps`.
    public int warmupStepsOf(int totalSteps) {
        return steps(warmupSteps, totalSteps);
    }

    /// Steps between log entries in a run of `totalSteps`.
    public int loggingStepsOf(int totalSteps) {
        return steps(loggingSteps, totalSteps);
    }

    /// Steps between evaluations in a run of `totalSteps`.
    public int evalStepsOf(int totalSteps) {
        return steps(evalSteps == 0 ? loggingSteps : evalSteps, totalSteps);
    }

    /// Steps between checkpoints in a run of `totalSteps`.
    public int saveStepsOf(int totalSteps) {
        return steps(saveSteps, totalSteps);
    }

    /// Seed of the order of examples.
    public long orderSeed() {
        return dataSeed.orElse(seed);
    }

    /// The metric that decides which model is best, as the log names it: `eval_loss`.
    public String bestMetric() {
        return metricForBestModel.startsWith("eval_") ? metricForBestModel : "eval_" + metricForBestModel;
    }

    /// Whether more of `bestMetric()` is better: no for losses and perplexities, unless said otherwise.
    public boolean bestIsGreatest() {
        return greaterIsBetter.orElse(!bestMetric().endsWith("loss") && !bestMetric().endsWith("perplexity"));
    }

    private static int steps(double stepsOrShare, int totalSteps) {
        return (int) (stepsOrShare < 1 ? Math.ceil(stepsOrShare * totalSteps) : stepsOrShare);
    }

    private static void requireInterval(String name, double value, boolean zeroAllowed) {
        boolean whole = value >= 1 && value <= Integer.MAX_VALUE && value == Math.rint(value);
        boolean share = value < 1 && (value > 0 || zeroAllowed && value == 0);
        require(whole || share, name, "a whole number of steps or a share of the run between 0 and 1", value);
    }

    private static void requireAtLeastOne(String name, int value) {
        require(value >= 1, name, "at least 1", value);
    }

    private static void requireNotNegative(String name, double value) {
        require(value >= 0 && Double.isFinite(value), name, "a finite number, at least 0", value);
    }

    private static void require(boolean condition, String name, String expected, Object found) {
        if (!condition) throw new InputException(name + " must be " + expected + ", found " + found);
    }
}
