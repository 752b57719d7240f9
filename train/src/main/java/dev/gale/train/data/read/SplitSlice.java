package dev.gale.train.data.read;

import dev.gale.tensor.InputException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A split or a stretch of it: `train`, `train[100:200]`, `train[:10%]`, `train[-5%:]`. Shares are rounded to the nearest
/// row, half to even; with `(pct1_dropremainder)` behind, a per cent is a whole number of rows.
///
/// Source: Hugging Face datasets, `ReadInstruction`.
///
/// @param split name of the split
/// @param from  first row, null for the beginning; below 0 it counts from the end
/// @param to    one past the last row, null for the end
record SplitSlice(String split, Long from, Long to, boolean percent, boolean wholePercents) {
    private static final Pattern FORM = Pattern.compile("(?<split>\\w+(?:\\.\\w+)*)"
            + "(?:\\[(?:(?<from>-?[\\d_]+)(?<fromPercent>%)?)?:(?:(?<to>-?[\\d_]+)(?<toPercent>%)?)?])?"
            + "(?:\\((?<rounding>[^)]*)\\))?");

    /// One or several, joined by `+`.
    ///
    /// Throws InputException when it is written in another way.
    static List<SplitSlice> parse(String text) {
        List<SplitSlice> slices = new ArrayList<>();
        for (String part : text.strip().split("\\s*\\+\\s*", -1)) slices.add(one(part, text));
        return slices;
    }

    private static SplitSlice one(String part, String whole) {
        Matcher form = FORM.matcher(part);
        String expected = "the split '%s' is not written as %s";
        if (!form.matches()) {
            throw new InputException(expected.formatted(whole, "train, train[:10%], train[100:200] or train+test"));
        }
        boolean percent = form.group("fromPercent") != null || form.group("toPercent") != null;
        Long from = number(form.group("from"));
        Long to = number(form.group("to"));
        if (percent && (from != null && Math.abs(from) > 100 || to != null && Math.abs(to) > 100)) {
            throw new InputException(expected.formatted(whole, "shares from -100% to 100%"));
        }
        String rounding = form.group("rounding");
        if (rounding != null && !rounding.equals("closest") && !rounding.equals("pct1_dropremainder")) {
            throw new InputException(expected.formatted(whole, "train[:10%](closest) or train[:10%](pct1_dropremainder)"));
        }
        return new SplitSlice(form.group("split"), from, to, percent, "pct1_dropremainder".equals(rounding));
    }

    private static Long number(String text) {
        if (text == null) return null;
        try {
            return Long.valueOf(text.replace("_", ""));
        } catch (NumberFormatException e) {
            throw new InputException("the split has '%s' where a number of rows belongs".formatted(text), e);
        }
    }

    boolean isWhole() {
        return from == null && to == null;
    }

    /// First row and one past the last one, of that many.
    ///
    /// Throws InputException when a per cent would be no row.
    long[] bounds(long rows) {
        if (wholePercents && percent && rows < 100) {
            throw new InputException("the split: a per cent of %d rows is no row; leave out pct1_dropremainder"
                    .formatted(rows));
        }
        return new long[] {bound(from, 0, rows), bound(to, rows, rows)};
    }

    private long bound(Long given, long otherwise, long rows) {
        if (given == null) return otherwise;
        long at = !percent ? given : wholePercents ? given * (rows / 100) : (long) Math.rint(given * (double) rows / 100);
        return Math.min(at < 0 ? Math.max(rows + at, 0) : at, rows);
    }
}
