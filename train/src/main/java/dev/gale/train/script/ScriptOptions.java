package dev.gale.train.script;

import java.nio.file.Path;
import java.util.Optional;

/// Scripts of a run, by the names that TRL has for such functions.
///
/// @param formattingFunc file of `formatting_func`; in YAML a key of `dataset`
/// @param computeMetrics file of `compute_metrics`; in YAML a key at the top
public record ScriptOptions(Optional<Path> formattingFunc, Optional<Path> computeMetrics) {
    /// No scripts.
    public static final ScriptOptions NONE = new ScriptOptions(Optional.empty(), Optional.empty());
}
