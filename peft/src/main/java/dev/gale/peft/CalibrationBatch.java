package dev.gale.peft;

/// Tokens on which an initialization looks at what goes into the layers; see `ModelInput` for the arrays.
///
/// @param used which tokens count, e.g. those that are trained
public record CalibrationBatch(int[] ids, int[] positions, int[] start, int[] stop, boolean[] used) {}
