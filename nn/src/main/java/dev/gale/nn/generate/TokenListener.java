package dev.gale.nn.generate;

/// Hears every token as it is generated.
@FunctionalInterface
public interface TokenListener {

    /// @param sequence index of the prompt
    /// @param token    the new token, end-of-sequence tokens too
    /// @return false to end this sequence, e.g. because a stop string came up
    boolean onToken(int sequence, int token);
}
