package dev.gale.train.cli;

import dev.gale.nn.LoadOptions;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.FastLanguageModel;
import dev.gale.train.SftTrainer;
import dev.gale.train.config.TrainConfig;
import dev.gale.train.data.ChatTemplate;
import dev.gale.train.data.Dataset;
import java.nio.file.Path;
import java.util.function.Function;

/// A run as a configuration describes it, put together on one implementation of the operations: the computing one to
/// train, the counting one to plan.
record TrainRun(FastLanguageModel model, SftTrainer trainer) implements AutoCloseable {

    /// Reads the data first: a wrong line is found before a model is opened.
    static TrainRun open(TrainConfig config, TensorOps ops) {
        Dataset dataset = Dataset.load(config.dataset());
        return open(config, ops, model -> SftTrainer.Examples.of(model, dataset, config.training()));
    }

    /// The same on examples that were read before.
    static TrainRun open(TrainConfig config, TensorOps ops, SftTrainer.Examples examples) {
        return open(config, ops, model -> examples);
    }

    private static TrainRun open(TrainConfig config, TensorOps ops, Function<FastLanguageModel, SftTrainer.Examples> reader) {
        FastLanguageModel model = model(config, ops);
        try {
            change(model, config);
            SftTrainer.Examples examples = reader.apply(model);
            boolean adapters = !config.fullFinetuning() && !config.fromScratch();
            if (adapters) model.getPeftModel(config.adapters(), examples, config.training());
            return new TrainRun(model, new SftTrainer(model, examples, config.training()));
        } catch (RuntimeException e) {
            model.close();
            throw e;
        }
    }

    /// What the run wants otherwise than the model's folder has it.
    private static void change(FastLanguageModel model, TrainConfig config) {
        config.dataset().chatTemplate().map(ChatTemplate::source).ifPresent(model::useChatTemplate);
        if (config.addsTokens()) model.addTokens(config.addTokens(), config.addSpecialTokens());
        config.eosToken().ifPresent(model::useEosToken);
    }

    private static FastLanguageModel model(TrainConfig config, TensorOps ops) {
        Path directory = config.modelNameOrPath();
        Path tokenizer = config.tokenizerNameOrPath().orElse(directory);
        if (config.fromScratch()) {
            return FastLanguageModel.fromScratch(directory, tokenizer, config.training().seed(), ops);
        }
        LoadOptions options = config.quantization().apply(LoadOptions.defaults().withDtype(config.torchDtype().orElse(null))
                .withTrainable(config.fullFinetuning()).withRopeScaling(config.ropeScaling().orElse(null))
                .withOnHost(config.onHost()));
        return FastLanguageModel.open(directory, tokenizer, options, ops);
    }

    @Override
    public void close() {
        model.close();
    }
}
