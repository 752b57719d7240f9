package dev.gale.train.data;

/// A judged answer, before it is tokenized.
///
/// @param sample    the prompt with the answer
/// @param desirable whether the answer is good
public record KtoSample(Sample sample, boolean desirable) {}
