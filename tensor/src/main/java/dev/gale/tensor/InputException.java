package dev.gale.tensor;

import java.util.Collection;
import java.util.Comparator;

/// Something that a person gave is wrong: a file, an option, a dataset line. The message is one sentence that names the
/// file, the place in it and the remedy; commands print it without a stack trace and exit with 2.
public final class InputException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public InputException(String message) {
        super(message);
    }

    public InputException(String message, Throwable cause) {
        super(message, cause);
    }

    /// A name that is none of the known ones: the message suggests the nearest of them, if one is near, and lists all.
    ///
    /// @param what what the name stands for, e.g. `lr_scheduler_type`
    public static InputException unknown(String what, String given, Collection<String> known) {
        String nearest = nearest(given, known);
        return new InputException("unknown %s '%s'%s (known: %s)".formatted(what, given,
                nearest == null ? "" : "; did you mean '" + nearest + "'?", String.join(", ", known)));
    }

    /// The known name with the fewest typing errors, first one on ties; null when none is within a third of
    /// the length.
    public static String nearest(String given, Collection<String> known) {
        String best = known.stream().min(Comparator.comparingInt(name -> distance(given, name))).orElse(null);
        return best != null && distance(given, best) <= Math.max(1, given.length() / 3) ? best : null;
    }

    /// Number of insertions, deletions, replacements and swaps of neighbours that lead from a to b, case aside.
    /// Source: Damerau 1964, "A technique for computer detection and correction of spelling errors".
    private static int distance(String a, String b) {
        int[][] d = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) d[i][0] = i;
        for (int j = 0; j <= b.length(); j++) d[0][j] = j;
        for (int i = 1; i <= a.length(); i++) {
            for (int j = 1; j <= b.length(); j++) {
                int replace = d[i - 1][j - 1] + (same(a, i - 1, b, j - 1) ? 0 : 1);
                d[i][j] = Math.min(replace, Math.min(d[i - 1][j], d[i][j - 1]) + 1);
                boolean swapped = i > 1 && j > 1 && same(a, i - 1, b, j - 2) && same(a, i - 2, b, j - 1);
                if (swapped) d[i][j] = Math.min(d[i][j], d[i - 2][j - 2] + 1);
            }
        }
        return d[a.length()][b.length()];
    }

    private static boolean same(String a, int i, String b, int j) {
        return Character.toLowerCase(a.charAt(i)) == Character.toLowerCase(b.charAt(j));
    }
}
