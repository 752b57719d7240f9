package dev.gale.train.tokenizer;

/// Tokens of a text and where in it they come from. Token i covers the chars `[starts[i], ends[i])` of the Java string
/// (UTF-16 units, as `String.substring` counts); a token that the tokenizer added on its own covers nothing: `[0, 0)`.
/// Several tokens that hold the bytes of one character each cover the whole character.
///
/// @param ids    token ids
/// @param starts first char of each token
/// @param ends   one past the last char of each token
public record Encoding(int[] ids, int[] starts, int[] ends) {
    public Encoding {
        if (ids.length != starts.length || ids.length != ends.length) {
            throw new IllegalArgumentException("%d ids, %d starts and %d ends do not belong together"
                    .formatted(ids.length, starts.length, ends.length));
        }
    }

    /// Number of tokens.
    public int length() {
        return ids.length;
    }
}
