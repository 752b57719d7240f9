package dev.gale.train.metric;

import java.io.PrintStream;
import java.util.Locale;
import java.util.Map;

/// One live line for people: bar, step, loss, learning rate, gradient norm, tokens/s, time left. On a terminal it is
/// rewritten in place; elsewhere each history entry becomes a line of its own.
public final class ProgressLine implements MetricSink {
    private static final int BAR = 20;
    private static final double SMOOTHING = 0.9;

    private final PrintStream out;
    private final boolean live;
    private final long totalSteps;
    private double secondsPerStep;
    private double tokensPerSecond;
    private int shown;

    ProgressLine(PrintStream out, boolean live, long totalSteps) {
        this.out = out;
        this.live = live;
        this.totalSteps = totalSteps;
    }

    /// The line of a run of that many steps on standard error, live when the console is a terminal.
    public static ProgressLine onStandardError(long totalSteps) {
        boolean live = System.console() != null && System.console().isTerminal();
        return new ProgressLine(System.err, live, totalSteps);
    }

    @Override
    public void step(StepMetrics m) {
        boolean first = secondsPerStep == 0;
        secondsPerStep = first ? m.seconds() : SMOOTHING * secondsPerStep + (1 - SMOOTHING) * m.seconds();
        tokensPerSecond = first ? m.tokensPerSecond() : SMOOTHING * tokensPerSecond + (1 - SMOOTHING) * m.tokensPerSecond();
        if (live) show(line(m));
    }

    private String line(StepMetrics m) {
        int filled = (int) (BAR * m.step() / Math.max(1, totalSteps));
        return String.format(Locale.ROOT, "%s %d/%d | loss %.4f | lr %.2e | grad %.3f | %,.0f tok/s | %s left",
                "█".repeat(filled) + "░".repeat(BAR - filled), m.step(), totalSteps, m.loss(), m.learningRate(),
                m.gradNorm(), tokensPerSecond, duration((totalSteps - m.step()) * secondsPerStep));
    }

    @Override
    public void log(Map<String, Object> entry) {
        if (entry.containsKey("eval_loss")) {
            print(String.format(Locale.ROOT, "step %s: eval loss %.4f, perplexity %.2f, token accuracy %.1f %%",
                    entry.get("step"), number(entry, "eval_loss"), number(entry, "eval_perplexity"),
                    100 * number(entry, "eval_mean_token_accuracy")));
        } else if (!live && entry.containsKey("loss")) {
            print(String.format(Locale.ROOT, "step %s/%d: loss %.4f, lr %.2e, grad norm %.3f, %,.0f tok/s, %s left",
                    entry.get("step"), totalSteps, number(entry, "loss"), number(entry, "learning_rate"),
                    number(entry, "grad_norm"), tokensPerSecond,
                    duration((totalSteps - (long) number(entry, "step")) * secondsPerStep)));
        }
    }

    private static double number(Map<String, Object> entry, String key) {
        return ((Number) entry.get(key)).doubleValue();
    }

    @Override
    public void note(String sentence) {
        print(sentence);
    }

    private void show(String line) {
        out.print("\r" + line + " ".repeat(Math.max(0, shown - line.length())));
        out.flush();
        shown = line.length();
    }

    private void print(String line) {
        if (live && shown > 0) out.print("\r" + " ".repeat(shown) + "\r");
        shown = 0;
        out.println(line);
    }

    @Override
    public void close() {
        if (live && shown > 0) out.println();
        shown = 0;
    }

    /// Seconds as `1h02m`, `3m04s` or `12s`.
    static String duration(double seconds) {
        long s = Math.round(seconds);
        if (s >= 3600) return String.format("%dh%02dm", s / 3600, s % 3600 / 60);
        return s >= 60 ? String.format("%dm%02ds", s / 60, s % 60) : s + "s";
    }
}
