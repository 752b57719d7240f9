package dev.gale.train.data.report;

/// A histogram of lengths as a picture, and as a table for those who do not see it.
final class LengthChart {
    private static final int WIDTH = 900;
    private static final int HEIGHT = 240;
    private static final int LEFT = 48;
    private static final int BOTTOM = 34;
    private static final int TOP = 22;

    private LengthChart() {}

    /// @param limit drawn as a line; bars beyond it have another colour
    /// @param unit  what is counted, for people
    static void write(Html html, Lengths lengths, int limit, String unit) {
        Lengths.Bar[] bars = lengths.histogram(limit);
        int most = 1;
        for (Lengths.Bar bar : bars) most = Math.max(most, bar.count());
        double step = (double) (WIDTH - LEFT - 8) / bars.length;
        int width = bars[0].to() - bars[0].from();
        html.add("<figure><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"length-title\">", WIDTH, HEIGHT);
        html.add("<title id=\"length-title\">Rows by length in %s; the table below has the numbers</title>", unit);
        for (int line = 0; line <= 2; line++) {
            double y = y(most * line / 2.0, most);
            html.add("<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, WIDTH - 8, y, y);
            html.add("<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%,d</text>", LEFT - 6, y + 4, most * line / 2);
        }
        int labels = Math.max(1, (int) Math.ceil(bars.length / 10.0));
        for (int i = 0; i < bars.length; i++) {
            Lengths.Bar bar = bars[i];
            double x = LEFT + i * step;
            double y = y(bar.count(), most);
            boolean cut = bar.from() >= limit;
            html.add("<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%s: %,d "
                    + "rows</title></rect>", cut ? "cut" : "bar", x + 1, y, Math.max(1, step - 2), HEIGHT - BOTTOM - y,
                    range(bar), bar.count());
            if (i % labels == 0) {
                html.add("<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%,d</text>", x, HEIGHT - BOTTOM + 16, bar.from());
            }
        }
        double at = LEFT + step * limit / width;
        if (at <= LEFT + step * bars.length) {
            boolean end = at > WIDTH * 0.7;
            html.add("<line class=\"limit\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>", at, at, TOP - 6, HEIGHT - BOTTOM);
            html.add("<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">max_length %,d</text>", end ? at - 6 : at + 6, TOP - 8,
                    end ? "end" : "start", limit);
        }
        html.add("<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text></svg>", WIDTH - 8, HEIGHT - 3, unit);
        table(html, bars, unit);
        html.add("</figure>");
    }

    private static double y(double count, int most) {
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * count / most;
    }

    private static String range(Lengths.Bar bar) {
        return bar.to() == Integer.MAX_VALUE ? "%,d and more".formatted(bar.from())
                : "%,d to %,d".formatted(bar.from(), bar.to() - 1);
    }

    private static void table(Html html, Lengths.Bar[] bars, String unit) {
        html.add("<details><summary>Numbers</summary><table><thead><tr><th scope=\"col\">%s</th><th scope=\"col\" "
                + "class=\"number\">rows</th></tr></thead><tbody>", unit);
        for (Lengths.Bar bar : bars) {
            if (bar.count() > 0) html.add("<tr><td>%s</td><td class=\"number\">%,d</td></tr>", range(bar), bar.count());
        }
        html.add("</tbody></table></details>");
    }
}
