package dev.gale.bench.report;

import dev.gale.tensor.ops.KernelTime;
import dev.gale.tensor.ops.OpCount;
import dev.gale.tensor.ops.Roofline;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// What kernels took, grouped by operation, beside the least time that the operation's arithmetic and traffic could take. That
/// is of all calls of an operation together, so it is a lower bound of what single calls could reach.
public final class ProfileTable {
    private final Map<String, List<KernelTime>> byOperation = new LinkedHashMap<>();
    private final int steps;
    private final Map<String, OpCount> counts;
    private final Roofline roofline;

    /// @param times  of several steps
    /// @param counts of one step
    public ProfileTable(List<KernelTime> times, int steps, Map<String, OpCount> counts, Roofline roofline) {
        this.steps = steps;
        this.counts = counts;
        this.roofline = roofline;
        Map<KernelTime, KernelTime> merged = new LinkedHashMap<>();
        for (KernelTime time : times) {
            merged.merge(new KernelTime(time.operation(), time.kernel(), time.constants(), 0, 0), time, KernelTime::plus);
        }
        merged.values().forEach(time -> byOperation.computeIfAbsent(time.operation(), name -> new ArrayList<>()).add(time));
    }

    private static long nanos(List<KernelTime> times) {
        return times.stream().mapToLong(KernelTime::nanos).sum();
    }

    /// Operations by the time they took, beneath each its kernels.
    public String text() {
        long total = Math.max(1, byOperation.values().stream().mapToLong(ProfileTable::nanos).sum());
        List<String> names = new ArrayList<>(byOperation.keySet());
        names.sort(Comparator.comparingLong((String name) -> nanos(byOperation.get(name))).reversed());
        StringBuilder text = new StringBuilder(String.format(Locale.ROOT, "%-64s %7s %10s %7s %10s %10s %11s %9s%n",
                "operation, kernel with its constants", "calls", "ms a step", "share", "TFLOP", "GB", "roofline ms",
                "fraction"));
        double bound = 0;
        for (String name : names) {
            List<KernelTime> times = byOperation.get(name);
            OpCount count = counts.getOrDefault(name, new OpCount(name, 0, 0, 0));
            double seconds = roofline.seconds(count.flops(), count.bytes());
            bound += seconds;
            double taken = nanos(times) / 1e9 / steps;
            text.append(row(name, count.calls(), taken, nanos(times) / (double) total)).append(String.format(Locale.ROOT,
                    " %10.4f %10.4f %11.4f %9s%n", count.flops() / 1e12, count.bytes() / 1e9, seconds * 1e3,
                    fraction(seconds, taken)));
            times.sort(Comparator.comparingLong(KernelTime::nanos).reversed());
            for (KernelTime time : times) {
                text.append(row("  " + time.kernel() + "  " + time.constants(), time.calls() / steps,
                        time.nanos() / 1e9 / steps, time.nanos() / (double) total)).append("\n");
            }
        }
        double taken = total / 1e9 / steps;
        long launches = byOperation.values().stream().flatMap(List::stream).mapToLong(KernelTime::calls).sum();
        return text.append(row("all", launches / steps, taken, 1))
                .append(String.format(Locale.ROOT, " %10s %10s %11.4f %9s", "", "", bound * 1e3,
                        fraction(bound, taken))).toString();
    }

    private static String row(String name, long calls, double seconds, double share) {
        return String.format(Locale.ROOT, "%-64s %7d %10.4f %6.1f%%", name, calls, seconds * 1e3, 100 * share);
    }

    private static String fraction(double roofline, double taken) {
        return taken == 0 || roofline == 0 ? "-" : String.format(Locale.ROOT, "%.1f%%", 100 * roofline / taken);
    }
}
