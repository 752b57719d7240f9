package dev.gale.train;

import dev.gale.optim.OptimArgs;
import dev.gale.tensor.autograd.Checkpointing;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Collects the options of an `SftConfig`; each method sets the component of its name. The initial values are TRL's
/// defaults.
public final class SftConfigBuilder {
    private Path outputDir = Path.of("trainer_output");
    private boolean overwriteOutputDir;
    private double numTrainEpochs = 3;
    private int maxSteps = -1;
    private int perDeviceTrainBatchSize = 8;
    private int perDeviceEvalBatchSize = 8;
    private int gradientAccumulationSteps = 1;
    private double learningRate = 2e-5;
    private double weightDecay;
    private double adamBeta1 = 0.9;
    private double adamBeta2 = 0.999;
    private double adamEpsilon = 1e-8;
    private double maxGradNorm = 1;
    private String optim = "adamw_torch";
    private OptimArgs optimArgs = OptimArgs.NONE;
    private List<String> optimTargetModules = List.of("all-linear");
    private Optional<Double> loraplusLrRatio = Optional.empty();
    private double loraplusLrEmbedding = 1e-6;
    private boolean pissaConvert;
    private String lrSchedulerType = "linear";
    private Map<String, Object> lrSchedulerKwargs = Map.of();
    private double warmupSteps;
    private double loggingSteps = 10;
    private boolean loggingFirstStep;
    private SftConfig.EvalStrategy evalStrategy = SftConfig.EvalStrategy.NO;
    private double evalSteps;
    private boolean evalOnStart;
    private SftConfig.SaveStrategy saveStrategy = SftConfig.SaveStrategy.STEPS;
    private double saveSteps = 500;
    private int saveTotalLimit;
    private boolean saveOnlyModel;
    private boolean loadBestModelAtEnd;
    private String metricForBestModel = "loss";
    private Optional<Boolean> greaterIsBetter = Optional.empty();
    private long seed = 42;
    private Optional<Long> dataSeed = Optional.empty();
    private Checkpointing gradientCheckpointing = Checkpointing.LAYER;
    private boolean activationOffloading;
    private int tiledMlpNumShards = 1;
    private boolean fp16;
    private boolean bf16;
    private int maxLength = 1024;
    private boolean packing;
    private Optional<Boolean> completionOnlyLoss = Optional.empty();
    private boolean assistantOnlyLoss;
    private Optional<Boolean> outputRouterLogits = Optional.empty();
    private Optional<Double> routerAuxLossCoef = Optional.empty();
    private Optional<Path> resumeFromCheckpoint = Optional.empty();

    SftConfigBuilder() {}

    public SftConfigBuilder outputDir(Path outputDir) {
        this.outputDir = outputDir;
        return this;
    }

    public SftConfigBuilder overwriteOutputDir(boolean overwriteOutputDir) {
        this.overwriteOutputDir = overwriteOutputDir;
        return this;
    }

    public SftConfigBuilder numTrainEpochs(double numTrainEpochs) {
        this.numTrainEpochs = numTrainEpochs;
        return this;
    }

    public SftConfigBuilder maxSteps(int maxSteps) {
        this.maxSteps = maxSteps;
        return this;
    }

    public SftConfigBuilder perDeviceTrainBatchSize(int perDeviceTrainBatchSize) {
        this.perDeviceTrainBatchSize = perDeviceTrainBatchSize;
        return this;
    }

    public SftConfigBuilder perDeviceEvalBatchSize(int perDeviceEvalBatchSize) {
        this.perDeviceEvalBatchSize = perDeviceEvalBatchSize;
        return this;
    }

    public SftConfigBuilder gradientAccumulationSteps(int gradientAccumulationSteps) {
        this.gradientAccumulationSteps = gradientAccumulationSteps;
        return this;
    }

    public SftConfigBuilder learningRate(double learningRate) {
        this.learningRate = learningRate;
        return this;
    }

    public SftConfigBuilder weightDecay(double weightDecay) {
        this.weightDecay = weightDecay;
        return this;
    }

    public SftConfigBuilder adamBeta1(double adamBeta1) {
        this.adamBeta1 = adamBeta1;
        return this;
    }

    public SftConfigBuilder adamBeta2(double adamBeta2) {
        this.adamBeta2 = adamBeta2;
        return this;
    }

    public SftConfigBuilder adamEpsilon(double adamEpsilon) {
        this.adamEpsilon = adamEpsilon;
        return this;
    }

    public SftConfigBuilder maxGradNorm(double maxGradNorm) {
        this.maxGradNorm = maxGradNorm;
        return this;
    }

    public SftConfigBuilder optim(String optim) {
        this.optim = optim;
        return this;
    }

    public SftConfigBuilder optimArgs(OptimArgs optimArgs) {
        this.optimArgs = optimArgs;
        return this;
    }

    public SftConfigBuilder optimTargetModules(List<String> optimTargetModules) {
        this.optimTargetModules = optimTargetModules;
        return this;
    }

    public SftConfigBuilder loraplusLrRatio(double loraplusLrRatio) {
        this.loraplusLrRatio = Optional.of(loraplusLrRatio);
        return this;
    }

    public SftConfigBuilder loraplusLrEmbedding(double loraplusLrEmbedding) {
        this.loraplusLrEmbedding = loraplusLrEmbedding;
        return this;
    }

    public SftConfigBuilder pissaConvert(boolean pissaConvert) {
        this.pissaConvert = pissaConvert;
        return this;
    }

    public SftConfigBuilder lrSchedulerType(String lrSchedulerType) {
        this.lrSchedulerType = lrSchedulerType;
        return this;
    }

    public SftConfigBuilder lrSchedulerKwargs(Map<String, Object> lrSchedulerKwargs) {
        this.lrSchedulerKwargs = lrSchedulerKwargs;
        return this;
    }

    public SftConfigBuilder warmupSteps(double warmupSteps) {
        this.warmupSteps = warmupSteps;
        return this;
    }

    public SftConfigBuilder loggingSteps(double loggingSteps) {
        this.loggingSteps = loggingSteps;
        return this;
    }

    public SftConfigBuilder loggingFirstStep(boolean loggingFirstStep) {
        this.loggingFirstStep = loggingFirstStep;
        return this;
    }

    public SftConfigBuilder evalStrategy(SftConfig.EvalStrategy evalStrategy) {
        this.evalStrategy = evalStrategy;
        return this;
    }

    public SftConfigBuilder evalSteps(double evalSteps) {
        this.evalSteps = evalSteps;
        return this;
    }

    public SftConfigBuilder evalOnStart(boolean evalOnStart) {
        this.evalOnStart = evalOnStart;
        return this;
    }

    public SftConfigBuilder saveStrategy(SftConfig.SaveStrategy saveStrategy) {
        this.saveStrategy = saveStrategy;
        return this;
    }

    public SftConfigBuilder saveSteps(double saveSteps) {
        this.saveSteps = saveSteps;
        return this;
    }

    public SftConfigBuilder saveTotalLimit(int saveTotalLimit) {
        this.saveTotalLimit = saveTotalLimit;
        return this;
    }

    public SftConfigBuilder saveOnlyModel(boolean saveOnlyModel) {
        this.saveOnlyModel = saveOnlyModel;
        return this;
    }

    public SftConfigBuilder loadBestModelAtEnd(boolean loadBestModelAtEnd) {
        this.loadBestModelAtEnd = loadBestModelAtEnd;
        return this;
    }

    public SftConfigBuilder metricForBestModel(String metricForBestModel) {
        this.metricForBestModel = metricForBestModel;
        return this;
    }

    public SftConfigBuilder greaterIsBetter(boolean greaterIsBetter) {
        this.greaterIsBetter = Optional.of(greaterIsBetter);
        return this;
    }

    public SftConfigBuilder seed(long seed) {
        this.seed = seed;
        return this;
    }

    public SftConfigBuilder dataSeed(long dataSeed) {
        this.dataSeed = Optional.of(dataSeed);
        return this;
    }

    public SftConfigBuilder gradientCheckpointing(Checkpointing gradientCheckpointing) {
        this.gradientCheckpointing = gradientCheckpointing;
        return this;
    }

    public SftConfigBuilder activationOffloading(boolean activationOffloading) {
        this.activationOffloading = activationOffloading;
        return this;
    }

    public SftConfigBuilder tiledMlpNumShards(int tiledMlpNumShards) {
        this.tiledMlpNumShards = tiledMlpNumShards;
        return this;
    }

    public SftConfigBuilder fp16(boolean fp16) {
        this.fp16 = fp16;
        return this;
    }

    public SftConfigBuilder bf16(boolean bf16) {
        this.bf16 = bf16;
        return this;
    }

    public SftConfigBuilder maxLength(int maxLength) {
        this.maxLength = maxLength;
        return this;
    }

    public SftConfigBuilder packing(boolean packing) {
        this.packing = packing;
        return this;
    }

    public SftConfigBuilder completionOnlyLoss(boolean completionOnlyLoss) {
        this.completionOnlyLoss = Optional.of(completionOnlyLoss);
        return this;
    }

    public SftConfigBuilder assistantOnlyLoss(boolean assistantOnlyLoss) {
        this.assistantOnlyLoss = assistantOnlyLoss;
        return this;
    }

    public SftConfigBuilder outputRouterLogits(boolean outputRouterLogits) {
        this.outputRouterLogits = Optional.of(outputRouterLogits);
        return this;
    }

    public SftConfigBuilder routerAuxLossCoef(double routerAuxLossCoef) {
        this.routerAuxLossCoef = Optional.of(routerAuxLossCoef);
        return this;
    }

    public SftConfigBuilder resumeFromCheckpoint(Path resumeFromCheckpoint) {
        this.resumeFromCheckpoint = Optional.of(resumeFromCheckpoint);
        return this;
    }

    /// Throws: InputException naming the option that is out of range.
    public SftConfig build() {
        return new SftConfig(
                outputDir, overwriteOutputDir, numTrainEpochs, maxSteps, perDeviceTrainBatchSize,
                perDeviceEvalBatchSize, gradientAccumulationSteps, learningRate, weightDecay, adamBeta1, adamBeta2,
                adamEpsilon, maxGradNorm, optim, optimArgs, optimTargetModules, loraplusLrRatio, loraplusLrEmbedding,
                pissaConvert, lrSchedulerType, lrSchedulerKwargs, warmupSteps, loggingSteps, loggingFirstStep,
                evalStrategy, evalSteps, evalOnStart, saveStrategy, saveSteps, saveTotalLimit, saveOnlyModel,
                loadBestModelAtEnd, metricForBestModel, greaterIsBetter, seed, dataSeed, gradientCheckpointing,
                activationOffloading, tiledMlpNumShards, fp16, bf16, maxLength,
                packing, completionOnlyLoss, assistantOnlyLoss, outputRouterLogits, routerAuxLossCoef, resumeFromCheckpoint);
    }
}
