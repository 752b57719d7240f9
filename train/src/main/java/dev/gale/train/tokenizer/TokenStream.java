package dev.gale.train.tokenizer;

import java.util.Arrays;

/// Decodes tokens as they come and gives out text as soon as it is final: a character whose bytes are spread over
/// several tokens appears with the last of them. The pieces and `flush()` together are the text of all tokens decoded
/// at once.
///
/// Each step decodes two short windows that begin at a token already given out, so that a decoder that treats the
/// beginning of a text differently (Llama's leading space) sees no beginning in the middle.
public final class TokenStream {
    private static final char REPLACEMENT = '\uFFFD';

    private final Tokenizer tokenizer;
    private final boolean skipSpecial;
    private int[] window = new int[16];
    private int length;
    private int given;

    TokenStream(Tokenizer tokenizer, boolean skipSpecial) {
        this.tokenizer = tokenizer;
        this.skipSpecial = skipSpecial;
    }

    /// Takes a token; returns the text that is final now, often of this token, or "".
    public String push(int token) {
        if (skipSpecial && tokenizer.isSpecial(token)) return "";
        if (length == window.length) window = Arrays.copyOf(window, 2 * length);
        window[length++] = token;
        String before = decode(0, given);
        String now = decode(0, length);
        if (now.length() <= before.length() || now.charAt(now.length() - 1) == REPLACEMENT) return "";
        if (!now.startsWith(before)) return "";
        System.arraycopy(window, given, window, 0, length - given);
        length -= given;
        given = length;
        return now.substring(before.length());
    }

    /// What is left at the end, incomplete characters as U+FFFD; the stream is as new afterwards.
    public String flush() {
        String before = decode(0, given);
        String now = decode(0, length);
        length = 0;
        given = 0;
        return now.startsWith(before) ? now.substring(before.length()) : now;
    }

    private String decode(int from, int to) {
        return tokenizer.decode(Arrays.copyOfRange(window, from, to), false);
    }
}
