package dev.gale.train.cli;

import dev.gale.nn.LoadOptions;
import dev.gale.nn.generate.GenerationConfig;
import dev.gale.train.FastLanguageModel;
import dev.gale.train.SftConfig;
import dev.gale.train.SftTrainer;
import dev.gale.train.TextGenerator;
import dev.gale.train.TrainingException;
import dev.gale.train.data.Dataset;
import dev.gale.train.demo.Demo;
import dev.gale.train.metric.ProgressLine;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gale demo`: teaches the base model that comes with Gale a task in a few minutes and shows what it learned.
@Command(name = "demo", mixinStandardHelpOptions = true,
        description = "Teach a small model to turn sentences into JSON, on this machine, in minutes.")
final class DemoCommand implements Callable<Integer> {
    private static final int TRAIN = 500;
    private static final int TEST = 50;
    private static final int SHOWN = 3;

    @Spec
    private CommandSpec spec;

    @Option(names = "--output", paramLabel = "DIR", defaultValue = "gale-demo",
            description = "Where the demo's files go (default: ${DEFAULT-VALUE}).")
    private Path output;

    @Option(names = "--short", description = "A quick pass: a few steps and ten held-out examples.")
    private boolean quick;

    @Option(names = "--corpus", paramLabel = "DOCUMENTS", defaultValue = "0",
            description = "Instead, write the text and the tokenizer that the base model is pretrained with, for "
                    + "examples/demo-base.yaml.")
    private int corpus;

    @Override
    public Integer call() {
        Demo demo = new Demo(output);
        if (corpus > 0) {
            demo.writeRecipe(corpus);
            return ExitCode.OK;
        }
        PrintWriter out = spec.commandLine().getOut();
        demo.unpackBase();
        List<Demo.Example> examples = demo.examples(TRAIN + TEST);
        List<Demo.Example> train = examples.subList(0, TRAIN);
        List<Demo.Example> test = examples.subList(TRAIN, TRAIN + (quick ? 10 : TEST));
        demo.write(demo.trainFile(), train);
        demo.write(demo.testFile(), test);
        try (FastLanguageModel model = FastLanguageModel.fromPretrained(demo.base(), LoadOptions.defaults())) {
            out.printf(Locale.ROOT,
                    "Model: %,d parameters. Task: from a sentence to JSON; %d examples to learn from, %d held out.%n",
                    model.model().parameters().stream().mapToLong(p -> p.value().size()).sum(), train.size(), test.size());
            List<String> before = answers(model, test);
            out.printf("Exact match before: %s%n", score(test, before));
            out.flush();
            SftTrainer.Summary summary = train(model, demo);
            List<String> after = answers(model, test);
            report(out, demo, test, before, after, summary);
            if (matches(test, after) <= matches(test, before)) throw new TrainingException("the demo did not learn its task");
        }
        return ExitCode.OK;
    }

    private SftTrainer.Summary train(FastLanguageModel model, Demo demo) {
        model.getPeftModel(Demo.LORA);
        SftConfig config = demo.training().maxSteps(quick ? 192 : -1).build();
        return new SftTrainer(model, Dataset.load(demo.trainFile()), config)
                .observe(ProgressLine::onStandardError).train();
    }

    private static List<String> answers(FastLanguageModel model, List<Demo.Example> test) {
        return new TextGenerator(model).generate(test.stream().map(Demo.Example::prompt).toList(),
                GenerationConfig.greedy(80, model.model().config().eosTokenIds()), List.of("\n"), (prompt, text) -> {});
    }

    private static long matches(List<Demo.Example> test, List<String> answers) {
        return IntStream.range(0, test.size()).filter(i -> answers.get(i).equals(test.get(i).completion())).count();
    }

    private static String score(List<Demo.Example> test, List<String> answers) {
        long matches = matches(test, answers);
        return "%d of %d (%d %%)".formatted(matches, test.size(), 100 * matches / test.size());
    }

    private static void report(PrintWriter out, Demo demo, List<Demo.Example> test, List<String> before, List<String> after,
                               SftTrainer.Summary summary) {
        out.printf(Locale.ROOT, "Exact match after:  %s, %d steps in %.0f s%n%n", score(test, after), summary.globalStep(),
                summary.seconds());
        for (int i = 0; i < Math.min(SHOWN, test.size()); i++) {
            out.printf("%s%n  before:%s%n  after: %s%n%n", test.get(i).prompt().lines().findFirst().orElseThrow(),
                    before.get(i), after.get(i));
        }
        out.printf("""
                The adapter, in PEFT's layout: %s
                Ask it something:
                  gale generate --model %s --adapter %s --prompt \
                $'Sentence: Nora Vogel from Oslo bought six clocks on Friday.\\nJSON:'
                Make it a model of its own:
                  gale merge --model %s --adapter %s --output %s
                Your own data: README.md shows a configuration for gale train.
                """, demo.adapter(), demo.base(), demo.adapter(), demo.base(), demo.adapter(),
                demo.adapter().resolveSibling("merged"));
        out.flush();
    }
}
