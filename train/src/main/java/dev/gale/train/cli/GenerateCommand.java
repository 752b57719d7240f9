package dev.gale.train.cli;

import dev.gale.nn.generate.GenerationConfig;
import dev.gale.tensor.InputException;
import dev.gale.train.FastLanguageModel;
import dev.gale.train.TextGenerator;
import dev.gale.train.data.ChatTemplate;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gale generate`: continues a text, or answers a message in the model's chat template. Only the new text is printed,
/// as it comes.
@Command(name = "generate", mixinStandardHelpOptions = true, description = "Continue a text, or answer a message.")
final class GenerateCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(names = "--model", required = true, paramLabel = "DIR", converter = HubEnvironment.ModelFolder.class,
            description = "Hugging Face model folder, or org/name after gale pull.")
    private Path model;

    @Mixin
    private QuantizationOption quantization;

    @Option(names = "--adapter", paramLabel = "DIR", converter = HubEnvironment.ModelFolder.class,
            description = "PEFT adapter folder, or org/name after gale pull, to put on it.")
    private Path adapter;

    @ArgGroup(multiplicity = "1")
    private Prompt prompt;

    static final class Prompt {
        @Option(names = "--prompt", paramLabel = "TEXT", description = "Text to continue.")
        private String text;

        @Option(names = "--prompt-file", paramLabel = "FILE", description = "File with the text to continue.")
        private Path file;

        @Option(names = "--chat", paramLabel = "MESSAGE",
                description = "Message to answer, in the model's chat template.")
        private String message;
    }

    @Option(names = "--system", paramLabel = "TEXT", description = "With --chat: the system message before it.")
    private String system;

    @Option(names = "--max-new-tokens", paramLabel = "N", defaultValue = "256",
            description = "Most tokens to add (default: ${DEFAULT-VALUE}).")
    private int maxNewTokens;

    @Option(names = "--temperature", paramLabel = "T",
            description = "Sample with this temperature; 0 takes the likeliest token.")
    private Double temperature;

    @Option(names = "--top-k", paramLabel = "K", description = "Sample from the K likeliest tokens; 0 from all.")
    private Integer topK;

    @Option(names = "--top-p", paramLabel = "P",
            description = "Sample from the likeliest tokens of probability P together.")
    private Double topP;

    @Option(names = "--repetition-penalty", paramLabel = "X",
            description = "Above 1, tokens seen before become less likely.")
    private Double repetitionPenalty;

    @Option(names = "--stop", paramLabel = "TEXT", description = "End before this text; repeatable.")
    private List<String> stop = List.of();

    @Option(names = "--seed", paramLabel = "N", defaultValue = "42",
            description = "Of the sampling (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Override
    public Integer call() throws IOException {
        if (stop.contains("")) throw new InputException("--stop is empty: give the text to end before");
        PrintWriter out = spec.commandLine().getOut();
        try (FastLanguageModel loaded = FastLanguageModel.fromPretrained(model, quantization.loadOptions())) {
            if (adapter != null) loaded.loadAdapter(adapter, false);
            new TextGenerator(loaded).generateFrom(List.of(ids(loaded)), config(loaded), stop, (sequence, text) -> {
                out.print(text);
                out.flush();
            });
            out.println();
        }
        return ExitCode.OK;
    }

    private int[] ids(FastLanguageModel loaded) throws IOException {
        if (prompt.message == null) {
            if (system != null) throw new InputException("--system needs --chat");
            return loaded.tokenizer().ids(prompt.file == null ? prompt.text : read(prompt.file), true);
        }
        ChatTemplate template = ChatTemplate.of(loaded.tokenizer()).orElseThrow(() ->
                new InputException("--chat: the tokenizer in %s has no chat template; use --prompt".formatted(model)));
        List<Map<String, Object>> messages = new ArrayList<>();
        if (system != null) messages.add(Map.of("role", "system", "content", system));
        messages.add(Map.of("role", "user", "content", prompt.message));
        return loaded.tokenizer().ids(template.render(messages, true), false);
    }

    private static String read(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new InputException("--prompt-file " + file + " is not there: name a text file");
        }
        try {
            return Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new InputException("--prompt-file " + file + " is not UTF-8 text: save it as UTF-8", e);
        }
    }

    /// What the model's folder recommends, changed by the options given; options of sampling turn it on.
    private GenerationConfig config(FastLanguageModel loaded) {
        GenerationConfig config = GenerationConfig.read(model, loaded.model().config())
                .withMaxNewTokens(maxNewTokens).withSeed(seed);
        Set<Integer> ends = new TreeSet<>(config.eosTokenIds());
        loaded.tokenizer().eosId().ifPresent(ends::add);                        // an adapter's tokenizer may have its own
        config = config.withEosTokenIds(List.copyOf(ends));
        if (topK != null) config = config.withTopK(topK).withDoSample(true);
        if (topP != null) config = config.withTopP(topP).withDoSample(true);
        if (repetitionPenalty != null) config = config.withRepetitionPenalty(repetitionPenalty);
        if (temperature == null) return config;
        return temperature == 0 ? config.withDoSample(false) : config.withTemperature(temperature).withDoSample(true);
    }
}
