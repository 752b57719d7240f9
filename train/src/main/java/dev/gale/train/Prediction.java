package dev.gale.train;

/// What a model says at the learned tokens of an example, each given the right tokens before it.
///
/// @param predicted likeliest id at each learned token
/// @param labels    the right ids, as many
public record Prediction(int[] predicted, int[] labels) {}
