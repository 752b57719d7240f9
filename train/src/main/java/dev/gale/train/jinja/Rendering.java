package dev.gale.train.jinja;

import java.util.List;

/// What a template rendered.
///
/// @param text       the whole text
/// @param generation the text of every `{% generation %}` block, in the order in which the blocks ended. As in
///                   Transformers, a block inside a macro or a `{% set %}` block counts from where the text stood
///                   when that macro or block was reached.
public record Rendering(String text, List<Span> generation) {
    public Rendering {
        generation = List.copyOf(generation);
    }
}
