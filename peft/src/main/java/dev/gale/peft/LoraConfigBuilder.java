package dev.gale.peft;

import java.util.List;
import java.util.Map;

/// Collects the values of a `LoraConfig`; `build` checks them.
public final class LoraConfigBuilder {
    private int r = 8;
    private double loraAlpha = 8;
    private double loraDropout;
    private ModuleNames targetModules;
    private ModuleNames excludeModules;
    private List<String> targetParameters = List.of();
    private LoraConfig.Bias bias = LoraConfig.Bias.NONE;
    private boolean useRslora;
    private boolean useDora;
    private boolean loraBias;
    private List<String> modulesToSave = List.of();
    private InitLoraWeights initLoraWeights = InitLoraWeights.KAIMING;
    private LoftqConfig loftqConfig = LoftqConfig.DEFAULT;
    private EvaConfig evaConfig = EvaConfig.DEFAULT;
    private List<Integer> layersToTransform = List.of();
    private List<String> layersPattern = List.of();
    private Map<String, Integer> rankPattern = Map.of();
    private Map<String, Double> alphaPattern = Map.of();
    private TokenIndices trainableTokenIndices = TokenIndices.NONE;
    private String taskType = "CAUSAL_LM";
    private String baseModelNameOrPath;
    private String revision;

    LoraConfigBuilder() {}

    LoraConfigBuilder(LoraConfig from) {
        r = from.r();
        loraAlpha = from.loraAlpha();
        loraDropout = from.loraDropout();
        targetModules = from.targetModules();
        excludeModules = from.excludeModules();
        targetParameters = from.targetParameters();
        bias = from.bias();
        useRslora = from.useRslora();
        useDora = from.useDora();
        loraBias = from.loraBias();
        modulesToSave = from.modulesToSave();
        initLoraWeights = from.initLoraWeights();
        loftqConfig = from.loftqConfig();
        evaConfig = from.evaConfig();
        layersToTransform = from.layersToTransform();
        layersPattern = from.layersPattern();
        rankPattern = from.rankPattern();
        alphaPattern = from.alphaPattern();
        trainableTokenIndices = from.trainableTokenIndices();
        taskType = from.taskType();
        baseModelNameOrPath = from.baseModelNameOrPath();
        revision = from.revision();
    }

    public LoraConfigBuilder r(int value) {
        r = value;
        return this;
    }

    public LoraConfigBuilder loraAlpha(double value) {
        loraAlpha = value;
        return this;
    }

    public LoraConfigBuilder loraDropout(double value) {
        loraDropout = value;
        return this;
    }

    /// Names of modules, or their last parts; or `all-linear` alone.
    public LoraConfigBuilder targetModules(String... names) {
        boolean all = names.length == 1 && ModuleNames.isAllLinear(names[0]);
        return targetModules(all ? ModuleNames.ALL_LINEAR : ModuleNames.of(names));
    }

    public LoraConfigBuilder targetModules(ModuleNames value) {
        targetModules = value;
        return this;
    }

    public LoraConfigBuilder excludeModules(ModuleNames value) {
        excludeModules = value;
        return this;
    }

    public LoraConfigBuilder targetParameters(String... names) {
        targetParameters = List.of(names);
        return this;
    }

    public LoraConfigBuilder bias(LoraConfig.Bias value) {
        bias = value;
        return this;
    }

    public LoraConfigBuilder useRslora(boolean value) {
        useRslora = value;
        return this;
    }

    public LoraConfigBuilder useDora(boolean value) {
        useDora = value;
        return this;
    }

    public LoraConfigBuilder loraBias(boolean value) {
        loraBias = value;
        return this;
    }

    public LoraConfigBuilder modulesToSave(String... names) {
        modulesToSave = List.of(names);
        return this;
    }

    public LoraConfigBuilder initLoraWeights(InitLoraWeights value) {
        initLoraWeights = value;
        return this;
    }

    public LoraConfigBuilder loftqConfig(LoftqConfig value) {
        loftqConfig = value;
        return this;
    }

    public LoraConfigBuilder evaConfig(EvaConfig value) {
        evaConfig = value;
        return this;
    }

    public LoraConfigBuilder layersToTransform(List<Integer> value) {
        layersToTransform = value;
        return this;
    }

    public LoraConfigBuilder layersPattern(List<String> value) {
        layersPattern = value;
        return this;
    }

    public LoraConfigBuilder rankPattern(Map<String, Integer> value) {
        rankPattern = value;
        return this;
    }

    public LoraConfigBuilder alphaPattern(Map<String, Double> value) {
        alphaPattern = value;
        return this;
    }

    public LoraConfigBuilder trainableTokenIndices(TokenIndices value) {
        trainableTokenIndices = value;
        return this;
    }

    public LoraConfigBuilder taskType(String value) {
        taskType = value;
        return this;
    }

    public LoraConfigBuilder baseModelNameOrPath(String value) {
        baseModelNameOrPath = value;
        return this;
    }

    public LoraConfigBuilder revision(String value) {
        revision = value;
        return this;
    }

    /// Throws: InputException naming the option that is wrong.
    public LoraConfig build() {
        return new LoraConfig(r, loraAlpha, loraDropout, targetModules, excludeModules, targetParameters, bias, useRslora,
                useDora, loraBias, modulesToSave, initLoraWeights, loftqConfig, evaConfig, layersToTransform, layersPattern,
                rankPattern, alphaPattern, trainableTokenIndices, taskType, baseModelNameOrPath, revision);
    }
}
