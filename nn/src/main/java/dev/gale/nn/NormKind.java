package dev.gale.nn;

/// The norms of models: RMSNorm, RMSNorm whose weights are differences from 1 (Gemma), LayerNorm.
public enum NormKind { RMS, SHIFTED_RMS, LAYER }
