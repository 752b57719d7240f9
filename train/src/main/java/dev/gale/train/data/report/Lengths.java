package dev.gale.train.data.report;

import java.util.Arrays;

/// Lengths of texts: percentiles and a histogram.
final class Lengths {
    private static final int BARS = 30;

    private int[] values = new int[1024];
    private int size;
    private boolean sorted;

    /// A bar of a histogram: how many lengths are in `[from, to)`; of the last bar `to` is `Integer.MAX_VALUE` when it stands
    /// for all beyond.
    record Bar(int from, int to, int count) {}

    void add(int length) {
        if (size == values.length) values = Arrays.copyOf(values, 2 * size);
        values[size++] = length;
        sorted = false;
    }

    int size() {
        return size;
    }

    long sum() {
        return Arrays.stream(values, 0, size).asLongStream().sum();
    }

    long beyond(int limit) {
        return Arrays.stream(values, 0, size).filter(length -> length > limit).count();
    }

    /// What is beyond the limit, summed.
    long cut(int limit) {
        return Arrays.stream(values, 0, size).filter(length -> length > limit).asLongStream().map(length -> length - limit)
                .sum();
    }

    /// The smallest length that at least this share of the lengths does not exceed; 0 without any.
    int percentile(double share) {
        if (size == 0) return 0;
        if (!sorted) Arrays.sort(values, 0, size);
        sorted = true;
        return values[Math.clamp((int) Math.ceil(share * size) - 1, 0, size - 1)];
    }

    /// Bars of a round width that reach to the limit and to all but the longest half percent.
    Bar[] histogram(int limit) {
        int reach = Math.max(1, Math.max(percentile(0.995), Math.min(limit + limit / 10, percentile(1))));
        int width = roundWidth(reach);
        int bars = reach / width + 1;
        boolean open = percentile(1) >= bars * width;
        int[] counts = new int[bars + (open ? 1 : 0)];
        for (int i = 0; i < size; i++) counts[Math.min(counts.length - 1, values[i] / width)]++;
        Bar[] result = new Bar[counts.length];
        for (int i = 0; i < counts.length; i++) {
            result[i] = new Bar(i * width, i == bars ? Integer.MAX_VALUE : (i + 1) * width, counts[i]);
        }
        return result;
    }

    private static int roundWidth(int reach) {
        for (int unit = 1; ; unit *= 10) {
            for (int step : new int[] {1, 2, 5}) {
                if ((long) unit * step * BARS >= reach) return unit * step;
            }
        }
    }
}
