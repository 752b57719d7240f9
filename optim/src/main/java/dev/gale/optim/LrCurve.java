package dev.gale.optim;

/// A schedule that depends on the step alone: `learningRate * factor(step)`.
record LrCurve(double learningRate, Factor factor) implements LrSchedule {

    /// Share of the peak learning rate at a step.
    @FunctionalInterface
    interface Factor {
        double at(double step);
    }

    @Override
    public double at(long step) {
        return learningRate * factor.at(step);
    }

    /// The same curve after a climb from 0 in a straight line: step / warmup.
    static Factor warmedUp(double warmup, Factor then) {
        return step -> step < warmup ? step / Math.max(1, warmup) : then.at(step);
    }

    /// Share of the run after warm-up that lies behind a step.
    private static double progress(double step, double warmup, double total) {
        return (step - warmup) / Math.max(1, total - warmup);
    }

    /// A straight line to 0 at the end.
    static Factor linear(double warmup, double total) {
        return warmedUp(warmup, step -> Math.max(0, (total - step) / Math.max(1, total - warmup)));
    }

    /// `cycles` waves of a cosine from 1 down to `floor`.
    static Factor cosine(double warmup, double total, double cycles, double floor) {
        return warmedUp(warmup, step -> wave(progress(step, warmup, total), cycles, floor));
    }

    /// As `cosine`, one step ahead, with a warm-up that does not begin at 0.
    ///
    /// @param warmupFloor where the warm-up begins; NaN is 1 / warmup
    static Factor cosineAhead(double warmup, double total, double cycles, double floor, double warmupFloor) {
        return step -> {
            if (step >= warmup) return wave((step - warmup + 1) / Math.max(1, total - warmup), cycles, floor);
            if (Double.isNaN(warmupFloor)) return (step + 1) / Math.max(1, warmup);
            return warmupFloor + (1 - warmupFloor) * step / Math.max(1, warmup - 1);
        };
    }

    private static double wave(double progress, double cycles, double floor) {
        double factor = 0.5 * (1 + Math.cos(Math.PI * cycles * 2 * progress));
        return Math.max(0, factor * (1 - floor) + floor);
    }

    /// Half a cosine from 1 to 0, `cycles` times, each starting over at 1.
    static Factor cosineWithRestarts(double warmup, double total, double cycles) {
        return warmedUp(warmup, step -> {
            double progress = progress(step, warmup, total);
            return progress >= 1 ? 0 : Math.max(0, 0.5 * (1 + Math.cos(Math.PI * (cycles * progress % 1))));
        });
    }

    /// A power of what is left, from 1 down to `floor`.
    static Factor polynomial(double warmup, double total, double power, double floor) {
        return warmedUp(warmup, step ->
                step > total ? floor : (1 - floor) * Math.pow(1 - progress(step, warmup, total), power) + floor);
    }

    /// `1 / sqrt((step + shift) / timescale)`, shift such that the curve is 1 at the end of the warm-up.
    static Factor inverseSqrt(double warmup, double timescale) {
        return warmedUp(warmup, step -> 1 / Math.sqrt((step + timescale - warmup) / timescale));
    }

    /// Climb, plateau, descent, each in the given number of steps; `floor` before, and ever after.
    static Factor warmupStableDecay(double warmup, double stable, double decay, Factor up, Factor down, double floor) {
        return step -> {
            if (step < warmup) return Math.max(0, up.at(step / Math.max(1, warmup)) * (1 - floor) + floor);
            if (step < warmup + stable) return 1;
            if (step >= warmup + stable + decay) return floor;
            return Math.max(0, down.at((step - warmup - stable) / Math.max(1, decay)) * (1 - floor) + floor);
        };
    }
}
