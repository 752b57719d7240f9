package dev.gale.tensor.autograd;

import dev.gale.tensor.Parameter;

/// A low-rank adapter of a table of rows: adds `scale * a[id] bᵀ` to the row of an id.
///
/// @param a     `[V, R]`, a row for each id: PEFT's `lora_embedding_A` transposed
/// @param b     `[D, R]`
/// @param scale alpha / r, or alpha / sqrt(r)
public record EmbeddingAdapter(Parameter a, Parameter b, float scale) {}
