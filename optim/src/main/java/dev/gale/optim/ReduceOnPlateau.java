package dev.gale.optim;

import java.util.List;

/// Multiplies the learning rate by `factor` when a metric has not improved for more than `patience` evaluations.
/// Source: torch.optim.lr_scheduler.ReduceLROnPlateau.
final class ReduceOnPlateau extends MetricSchedule {
    static final List<String> OPTIONS =
            List.of("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "min_lr", "eps");

    ReduceOnPlateau(double learningRate, NamedOptions options) {
        super(learningRate, options, new Defaults(0.1, 1e-4, "rel", 0));
    }

    @Override
    public void observe(double metric) {
        if (isBetter(metric)) {
            best = metric;
            badEvaluations = 0;
        } else {
            badEvaluations++;
        }
        if (cooldownLeft > 0) {
            cooldownLeft--;
            badEvaluations = 0;
        }
        if (badEvaluations > patience) {
            double reduced = Math.max(lr * factor, minLr);
            if (lr - reduced > eps) lr = reduced;
            cooldownLeft = cooldown;
            badEvaluations = 0;
        }
    }
}
