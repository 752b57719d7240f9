package dev.gale.train.data.report;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/// How many lines of a file have something, and the first of them.
final class Lines {
    private static final int SHOWN = 8;

    private final List<Long> first = new ArrayList<>();
    private long count;

    void add(long line) {
        if (first.size() < SHOWN) first.add(line);
        count++;
    }

    long count() {
        return count;
    }

    /// `lines 3, 9, 12 and 4 more`, empty when there are none.
    @Override
    public String toString() {
        if (count == 0) return "";
        String all = first.stream().map(String::valueOf).collect(Collectors.joining(", "));
        String more = count > first.size() ? " and %,d more".formatted(count - first.size()) : "";
        return (count == 1 ? "line " : "lines ") + all + more;
    }
}
