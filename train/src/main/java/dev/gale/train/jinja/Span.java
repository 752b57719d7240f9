package dev.gale.train.jinja;

/// A stretch of rendered text.
///
/// @param start index of the first `char` (UTF-16) of the stretch
/// @param end   index after its last `char`
public record Span(int start, int end) {}
