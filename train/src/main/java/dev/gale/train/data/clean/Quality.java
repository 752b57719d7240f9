package dev.gale.train.data.clean;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/// Simple measures of text that was not written to be read: shares between 0 and 1, 0 for an empty text.
///
/// @param symbols    characters that are neither letters, digits, blanks nor common punctuation
/// @param repetition characters in lines that stood there before, or in word 5-grams that did, whichever is more
/// @param broken     replacement and control characters, and pairs such as `Ã©` that a wrong encoding leaves
/// Source: the repetition and symbol rules of Rae et al. 2021, arXiv 2112.11446, table A1, put into three numbers.
public record Quality(double symbols, double repetition, double broken) {
    private static final String PUNCTUATION = ".,;:!?'\"()-–—’‘“”…。，、！？；：（）«»¿¡";
    private static final int WORDS = 5;
    private static final int SHORTEST_LINE = 12;

    /// Measures a text.
    public static Quality of(String text) {
        int symbols = 0;
        int broken = 0;
        int seen = 0;
        for (int i = 0; i < text.length(); ) {
            int point = text.codePointAt(i);
            int next = i + Character.charCount(point);
            seen++;
            boolean control = Character.isISOControl(point) && point != '\n' && point != '\r' && point != '\t';
            boolean wrong = (point == 'Ã' || point == 'Â' || point == 'â') && next < text.length()
                    && isRemnant(text.charAt(next));
            if (control || point == 0xFFFD || wrong) broken++;
            if (!Character.isLetterOrDigit(point) && !Character.isWhitespace(point) && PUNCTUATION.indexOf(point) < 0
                    && Character.getType(point) != Character.NON_SPACING_MARK
                    && Character.getType(point) != Character.COMBINING_SPACING_MARK) symbols++;
            i = next;
        }
        double all = Math.max(1, seen);
        return new Quality(symbols / all, Math.max(repeatedLines(text), repeatedWords(text)), broken / all);
    }

    private static boolean isRemnant(char c) {
        return c >= 0x80 && c <= 0xBF || c == '€' || c == '™';
    }

    private static double repeatedLines(String text) {
        Map<String, Integer> lines = new HashMap<>();
        long repeated = 0;
        long all = 0;
        for (String line : text.split("\n")) {
            String stripped = line.strip();
            if (stripped.length() < SHORTEST_LINE) continue;
            all += stripped.length();
            if (lines.merge(stripped, 1, Integer::sum) > 1) repeated += stripped.length();
        }
        return all == 0 ? 0 : (double) repeated / all;
    }

    /// The share of words that begin a 5-gram seen before.
    private static double repeatedWords(String text) {
        String[] words = text.split("\\s+");
        if (words.length < 4 * WORDS) return 0;
        long[] grams = new long[words.length - WORDS + 1];
        for (int i = 0; i < grams.length; i++) {
            long hash = 0;
            for (int j = 0; j < WORDS; j++) hash = Shingles.mix(hash * 31 + words[i + j].hashCode());
            grams[i] = hash;
        }
        Arrays.sort(grams);
        int repeated = 0;
        for (int i = 1; i < grams.length; i++) {
            if (grams[i] == grams[i - 1]) repeated++;
        }
        return (double) repeated / grams.length;
    }
}
