package dev.gale.peft;

import dev.gale.tensor.InputException;

/// PEFT's `loftq_config`.
///
/// @param loftqBits bits of a quantized weight; 4 is NF4, the only one there is
/// @param loftqIter how often the weight is quantized and what that lacks decomposed, at least 1
public record LoftqConfig(int loftqBits, int loftqIter) {
    public static final LoftqConfig DEFAULT = new LoftqConfig(4, 1);

    public LoftqConfig {
        if (loftqBits != 4) throw new InputException("LoRA: loftq_bits must be 4, got " + loftqBits);
        if (loftqIter < 1) throw new InputException("LoRA: loftq_iter must be at least 1, got " + loftqIter);
    }
}
