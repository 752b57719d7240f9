package dev.gale.train.data.clean;

import java.util.Arrays;

/// The set of word triples of a text, as hashes: two texts are as similar as the Jaccard index `|A and B| / |A or B|` of their
/// sets. Case and punctuation do not count; of scripts without blanks every character is a word. A text of one or two words is
/// one shingle.
final class Shingles {
    private static final int WORDS = 3;

    private Shingles() {}

    /// Distinct hashes in ascending order.
    static int[] of(String text) {
        long[] words = new long[text.length() / 4 + 8];
        int count = 0;
        long word = 0;
        for (int i = 0; i < text.length(); ) {
            int point = text.codePointAt(i);
            i += Character.charCount(point);
            boolean letter = Character.isLetterOrDigit(point);
            boolean alone = letter && standsAlone(point);
            if (word != 0 && (!letter || alone)) {
                words = with(words, count++, word);
                word = 0;
            }
            if (alone) words = with(words, count++, mix(point));
            else if (letter) word = (word ^ Character.toLowerCase(point)) * 0x100000001b3L + 0x9e3779b97f4a7c15L;
        }
        if (word != 0) words = with(words, count++, word);
        return count == 0 ? new int[0] : triples(words, count);
    }

    private static long[] with(long[] words, int count, long word) {
        long[] room = count < words.length ? words : Arrays.copyOf(words, 2 * words.length);
        room[count] = word;
        return room;
    }

    private static int[] triples(long[] words, int count) {
        int width = Math.min(WORDS, count);
        int[] hashes = new int[count - width + 1];
        for (int i = 0; i < hashes.length; i++) {
            long hash = width;
            for (int j = 0; j < width; j++) hash = mix(hash * 31 + words[i + j]);
            hashes[i] = (int) hash;
        }
        Arrays.sort(hashes);
        int distinct = 1;
        for (int i = 1; i < hashes.length; i++) {
            if (hashes[i] != hashes[i - 1]) hashes[distinct++] = hashes[i];
        }
        return Arrays.copyOf(hashes, distinct);
    }

    private static boolean standsAlone(int point) {
        if (point < 0x0E00) return false;
        Character.UnicodeScript script = Character.UnicodeScript.of(point);
        return switch (script) {
            case HAN, HIRAGANA, KATAKANA, THAI, LAO, KHMER, MYANMAR -> true;
            default -> false;
        };
    }

    /// Spreads every bit over all. Source: Stafford's variant 13 of MurmurHash3's finalizer.
    static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }
}
