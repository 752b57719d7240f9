package dev.gale.train.data;

/// Two answers to one prompt, before they are tokenized.
///
/// @param chosen   the prompt with the better answer
/// @param rejected the prompt with the other one
public record PreferenceSample(Sample chosen, Sample rejected) {}
