package dev.gale.tensor.ops;

/// The gate functions of gated MLPs: `y = act(gate) * up`.
///
/// - `SILU`: `x / (1 + exp(-x))`, SwiGLU (Shazeer 2020, arXiv 2002.05202).
/// - `GELU`: `x/2 * (1 + erf(x / sqrt(2)))`.
/// - `GELU_TANH`: `x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))`.
/// - `SIGMOID`: `1 / (1 + exp(-x))`, the gate of a shared expert.
public enum Activation { SILU, GELU, GELU_TANH, SIGMOID }
