package dev.gale.tensor.ops;

import dev.gale.tensor.Tensor;

/// Numbers kept in 8 bits each, as `dev.gale.tensor.quant.Dynamic8` says.
///
/// @param codes  U8, of the numbers' shape
/// @param absmax F32 `[ceil(n / 256)]`, the largest magnitude of each block
public record Quantized8(Tensor codes, Tensor absmax) {}
