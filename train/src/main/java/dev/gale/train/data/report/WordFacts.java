package dev.gale.train.data.report;

import java.util.HashSet;
import java.util.Locale;
import java.util.Set;

/// Counts over the words of a text.
///
/// @param words      runs of letters and digits; of scripts without blanks every run is one
/// @param sentences  ends of sentences, at least 1 when there are words
/// @param syllables  groups of vowels, as English counts them, at least 1 a word
/// @param letters    of the words
/// @param chars      code points
/// @param nonAscii   of them beyond ASCII
/// @param windows    whole windows of `WINDOW` words
/// @param distinct   distinct words summed over the windows
record WordFacts(int words, int sentences, int syllables, int letters, int chars, int nonAscii, int windows, int distinct) {
    /// Words over which distinct ones are counted: their share falls with the length of a text, so lengths must be equal.
    static final int WINDOW = 50;

    static WordFacts of(String text) {
        int words = 0;
        int sentences = 0;
        int syllables = 0;
        int letters = 0;
        int chars = 0;
        int nonAscii = 0;
        int windows = 0;
        int distinct = 0;
        Set<String> window = new HashSet<>();
        int inWindow = 0;
        int begin = -1;
        for (int i = 0; i <= text.length(); ) {
            int point = i < text.length() ? text.codePointAt(i) : ' ';
            boolean letter = Character.isLetterOrDigit(point) || point == '\'' && begin >= 0;
            if (letter && begin < 0) begin = i;
            if (!letter && begin >= 0) {
                String word = text.substring(begin, i).toLowerCase(Locale.ROOT);
                begin = -1;
                words++;
                letters += word.length();
                syllables += syllables(word);
                window.add(word);
                if (++inWindow == WINDOW) {
                    windows++;
                    distinct += window.size();
                    window.clear();
                    inWindow = 0;
                }
            }
            if (".!?。！？।؟".indexOf(point) >= 0 && i > 0 && Character.isLetterOrDigit(text.codePointBefore(i))) sentences++;
            if (i < text.length()) {
                chars++;
                if (point > 127) nonAscii++;
            }
            i += Character.charCount(point);
        }
        return new WordFacts(words, words > 0 ? Math.max(1, sentences) : 0, syllables, letters, chars, nonAscii,
                windows, distinct);
    }

    private static int syllables(String word) {
        int count = 0;
        boolean before = false;
        for (int i = 0; i < word.length(); i++) {
            boolean vowel = "aeiouy".indexOf(word.charAt(i)) >= 0;
            if (vowel && !before) count++;
            before = vowel;
        }
        boolean silent = word.endsWith("e") && !word.endsWith("le") && count > 1;
        return Math.max(1, silent ? count - 1 : count);
    }
}
