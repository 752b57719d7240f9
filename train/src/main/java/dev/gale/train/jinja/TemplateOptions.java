package dev.gale.train.jinja;

import java.time.Clock;

/// How templates are read and what a rendering may consume.
///
/// @param trimBlocks    drop the newline after a block tag
/// @param lstripBlocks  drop blanks before a block tag that starts a line
/// @param maxSteps      steps before a rendering is stopped; a step is a node evaluated, an item visited or 16
///                      characters built
/// @param maxCharacters longest text that a rendering, or any value in it, may have
/// @param clock         what `strftime_now` reads
public record TemplateOptions(boolean trimBlocks, boolean lstripBlocks, long maxSteps, int maxCharacters, Clock clock) {
    /// The settings of Transformers' chat templates, ten million steps, 64 Mi characters, the system's clock.
    public static final TemplateOptions TRANSFORMERS =
            new TemplateOptions(true, true, 10_000_000, 64 << 20, Clock.systemDefaultZone());

    /// The same options with another clock.
    public TemplateOptions withClock(Clock clock) {
        return new TemplateOptions(trimBlocks, lstripBlocks, maxSteps, maxCharacters, clock);
    }

    /// The same options with other whitespace rules.
    public TemplateOptions withWhitespace(boolean trimBlocks, boolean lstripBlocks) {
        return new TemplateOptions(trimBlocks, lstripBlocks, maxSteps, maxCharacters, clock);
    }

    /// The same options with other limits.
    public TemplateOptions withLimits(long maxSteps, int maxCharacters) {
        return new TemplateOptions(trimBlocks, lstripBlocks, maxSteps, maxCharacters, clock);
    }
}
