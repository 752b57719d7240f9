package dev.gale.train.data;

/// A tokenized answer that someone judged; its tokens are marked as trained, those of the prompt are not.
///
/// @param example   the prompt with the answer
/// @param desirable whether the answer is good
public record KtoExample(Example example, boolean desirable) {}
