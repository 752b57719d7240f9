package dev.gale.train.script;

import java.time.Duration;

/// What a script may take.
///
/// @param start        to be read and run once, the language's own start included
/// @param call         for one call of its function
/// @param callBytes    allocated in one call, kept or not
/// @param contextBytes allocated in all calls before the script is started afresh, which forgets what it kept
record ScriptLimits(Duration start, Duration call, long callBytes, long contextBytes) {
    /// For a row of data.
    static final ScriptLimits ROW = new ScriptLimits(Duration.ofSeconds(180), Duration.ofSeconds(10), 256L << 20, 1L << 30);

    /// For all predictions of an evaluation.
    static final ScriptLimits EVALUATION = new ScriptLimits(Duration.ofSeconds(180), Duration.ofSeconds(120),
            1L << 30, 1L << 30);
}
