package dev.gale.train.script;

import dev.gale.tensor.InputException;
import dev.gale.train.EvalFunction;
import dev.gale.train.Prediction;
import dev.gale.train.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Metrics by a function of people's own: `compute_metrics`. It gets an object with lists that have an entry for each evaluated
/// example: `predictions` and `label_ids`, the likeliest and the right id at each learned token, and both as text,
/// `prediction_texts` and `label_texts`; and it returns an object of numbers.
public final class ScriptMetrics implements EvalFunction {
    private static final String NAME = "compute_metrics";

    private final Path script;
    private final Tokenizer tokenizer;
    private final ScriptFunction function;

    /// Throws InputException when the script cannot be used.
    public ScriptMetrics(Path script, Tokenizer tokenizer) {
        this.script = script;
        this.tokenizer = tokenizer;
        this.function = ScriptFunction.load(script, NAME);
    }

    /// Throws InputException when the script fails or returns anything but numbers by name.
    @Override
    public Map<String, Double> metrics(List<Prediction> predictions) {
        Map<String, Object> argument = new LinkedHashMap<>();
        argument.put("predictions", predictions.stream().map(Prediction::predicted).toList());
        argument.put("label_ids", predictions.stream().map(Prediction::labels).toList());
        argument.put("prediction_texts", predictions.stream().map(Prediction::predicted).map(tokenizer::text).toList());
        argument.put("label_texts", predictions.stream().map(Prediction::labels).map(tokenizer::text).toList());
        Object result = function.call(argument, "the evaluation of %d examples".formatted(predictions.size()));
        if (!(result instanceof Map<?, ?> named)) throw wrong("must return an object with a number for each metric");
        Map<String, Double> metrics = new LinkedHashMap<>();
        named.forEach((name, value) -> {
            if (!(value instanceof Number number)) throw wrong("returns no number for '%s'".formatted(name));
            metrics.put(name.toString(), number.doubleValue());
        });
        return metrics;
    }

    private InputException wrong(String what) {
        return new InputException("%s: %s %s".formatted(script, NAME, what));
    }

    @Override
    public void close() {
        function.close();
    }
}
