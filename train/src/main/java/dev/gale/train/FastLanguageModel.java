package dev.gale.train;

import dev.gale.nn.CausalLm;
import dev.gale.nn.HfConfig;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.ModelFolder;
import dev.gale.peft.LoraConfig;
import dev.gale.peft.PeftModel;
import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/// A model with its tokenizer and, once asked for, an adapter: what people load, train and save.
///
/// ```java
/// try (var model = FastLanguageModel.fromPretrained(Path.of("models/base"))) {
///     model.getPeftModel(LoraConfig.builder().r(16).loraAlpha(32).targetModules("all-linear").build());
///     new SftTrainer(model, Dataset.load(Path.of("data.jsonl")), SftConfig.builder().build()).train();
///     model.savePretrained(Path.of("adapter"));
/// }
/// ```
public final class FastLanguageModel implements AutoCloseable {
    private final Path directory;
    private final TensorOps ops;
    private final CausalLm model;
    private Tokenizer tokenizer;
    private PeftModel adapter;

    private FastLanguageModel(Path directory, TensorOps ops, CausalLm model, Tokenizer tokenizer) {
        this.directory = directory;
        this.ops = ops;
        this.model = model;
        this.tokenizer = tokenizer;
    }

    /// Opens a Hugging Face model folder, weights memory-mapped in the dtype of their files.
    public static FastLanguageModel fromPretrained(Path directory) {
        return fromPretrained(directory, LoadOptions.defaults());
    }

    /// Opens a Hugging Face model folder. With `LoadOptions.trainable` every weight is trained; else nothing is, until
    /// `getPeftModel`.
    /// Throws: InputException when the folder is incomplete, broken or unknown, or its tokenizer does not fit.
    public static FastLanguageModel fromPretrained(Path directory, LoadOptions options) {
        return open(directory, options, new CpuOps());
    }

    /// As `fromPretrained`, computing with ops, which the model owns and closes.
    public static FastLanguageModel open(Path directory, LoadOptions options, TensorOps ops) {
        return open(directory, directory, options, ops);
    }

    /// @param tokenizer folder or `tokenizer.json` from which tokenizer and chat template come
    public static FastLanguageModel open(Path directory, Path tokenizer, LoadOptions options, TensorOps ops) {
        return open(directory, tokenizer, ops, () -> CausalLm.load(directory, options, ops));
    }

    /// A model with fresh weights in the shape of the folder's `config.json`, every weight trained: for pretraining.
    public static FastLanguageModel fromScratch(Path directory, long seed, TensorOps ops) {
        return fromScratch(directory, directory, seed, ops);
    }

    /// @param tokenizer folder or `tokenizer.json` from which tokenizer and chat template come
    public static FastLanguageModel fromScratch(Path directory, Path tokenizer, long seed, TensorOps ops) {
        return open(directory, tokenizer, ops, () -> {
            CausalLm model = CausalLm.random(HfConfig.read(directory), seed, DType.F32, ops);
            model.trainAll();
            return model;
        });
    }

    private static FastLanguageModel open(Path directory, Path tokenizerSource, TensorOps ops,
                                          Supplier<CausalLm> load) {
        CausalLm model = null;
        try {
            model = load.get();
            Tokenizer tokenizer = Tokenizer.load(tokenizerSource);
            tokenizer.requireFits(model.config().vocabSize());
            return new FastLanguageModel(directory, ops, model, tokenizer);
        } catch (RuntimeException e) {
            if (model != null) model.close();
            ops.close();
            throw e;
        }
    }

    /// Adds tokens to the tokenizer and rows for them to embedding and head, each the mean of those that were there. Those that
    /// the tokenizer has already stay as they are. An adapter must train the embedding for them: see
    /// `LoraConfig.modulesToSave`.
    ///
    /// @param tokens  ordinary ones
    /// @param special ones such as `<|im_end|>`, which text for people leaves out
    public FastLanguageModel addTokens(List<String> tokens, List<String> special) {
        requireNoAdapter();
        replace(tokenizer.withTokens(tokens, special));
        if (tokenizer.vocabSize() > model.config().vocabSize()) model.resizeEmbedding(tokenizer.vocabSize());
        return this;
    }

    /// Ends texts, and generation, with another token than the model's folder says.
    public FastLanguageModel useEosToken(String token) {
        replace(tokenizer.withEosToken(token));
        model.addEosToken(tokenizer.eosId().getAsInt());
        return this;
    }

    /// Gives the tokenizer another chat template, which is saved with it.
    public FastLanguageModel useChatTemplate(String template) {
        replace(tokenizer.withChatTemplate(template));
        return this;
    }

    private void replace(Tokenizer other) {
        tokenizer.close();
        tokenizer = other;
    }

    /// Freezes the model and puts fresh LoRA adapters beside the layers that the configuration names.
    public FastLanguageModel getPeftModel(LoraConfig config) {
        return getPeftModel(config, 42);
    }

    /// @param seed of the adapters' first weights
    public FastLanguageModel getPeftModel(LoraConfig config, long seed) {
        requireNoAdapter();
        adapter = PeftModel.inject(model, config, seed);
        return this;
    }

    /// As `getPeftModel`, for initializations (`eva`) that look at what goes into the layers: on the training batches of a
    /// run with these examples and options.
    public FastLanguageModel getPeftModel(LoraConfig config, SftTrainer.Examples examples, SftConfig training) {
        requireNoAdapter();
        adapter = PeftModel.inject(model, config, training.seed(), Calibration.of(ops, examples, training, config));
        return this;
    }

    /// Puts a saved adapter on the model. The tokenizer in its folder, which may have more tokens or another chat template,
    /// takes the place of the model's if the model has a row for each of its tokens.
    ///
    /// @param trainable whether training goes on with it
    /// Throws: InputException when the adapter is broken or belongs to another base.
    public FastLanguageModel loadAdapter(Path adapterDirectory, boolean trainable) {
        requireNoAdapter();
        adapter = PeftModel.load(model, adapterDirectory, trainable);
        if (Files.isRegularFile(adapterDirectory.resolve("tokenizer.json"))) {
            Tokenizer own = Tokenizer.load(adapterDirectory);
            if (own.vocabSize() <= model.config().vocabSize()) replace(own);
            else own.close();
        }
        return this;
    }

    private void requireNoAdapter() {
        if (adapter != null) throw new IllegalStateException("this model has an adapter already");
    }

    /// The folder that the model came from.
    Path directory() {
        return directory;
    }

    public TensorOps ops() {
        return ops;
    }

    public CausalLm model() {
        return model;
    }

    public Tokenizer tokenizer() {
        return tokenizer;
    }

    public Optional<PeftModel> adapter() {
        return Optional.ofNullable(adapter);
    }

    /// The parameters that training changes.
    public List<Parameter> trainable() {
        return model.parameters().stream().filter(Parameter::trainable).toList();
    }

    /// Writes what was trained: the adapter in PEFT's layout, or the whole model in the dtype it came in; with the
    /// tokenizer's files. An adapter whose base nobody can make again (`pissa_niter_N`) is written as `saveAsLora` does.
    public void savePretrained(Path target) {
        boolean needsBase = adapter != null && adapter.config().initLoraWeights().isDrawnFromWeight();
        save(target, model.config().dtype(), needsBase);
    }

    /// As `savePretrained`, an adapter as a plain one for the original base: see `PeftModel.saveAsLora`.
    public void saveAsLora(Path target) {
        save(target, model.config().dtype(), true);
    }

    /// As `savePretrained`, weights in F32, an adapter as it is: what a resume needs.
    void saveExact(Path target) {
        save(target, DType.F32, false);
    }

    private void save(Path target, DType dtype, boolean asLora) {
        try {
            Files.createDirectories(target);
            if (adapter == null) model.save(target, dtype);
            else if (asLora) adapter.saveAsLora(target);
            else adapter.save(target);
            tokenizer.save(target);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + target + ": " + e.getMessage(), e);
        }
    }

    /// Sets the trained parameters to what `saveExact` wrote, bit for bit.
    /// Throws: InputException when the folder holds something else.
    void restore(Path source) {
        if (adapter != null) {
            adapter.restore(source);
            return;
        }
        ModelFolder.restore(model, trainable(), source);
    }

    @Override
    public void close() {
        if (adapter != null) adapter.close();
        model.close();
        tokenizer.close();
        ops.close();
    }
}
