package dev.gale.train.data;

import dev.gale.train.jinja.Span;
import java.util.List;

/// A rendered conversation.
///
/// @param text    the whole text
/// @param trained what the assistant says in it, ends of its turns included; in order and apart
public record ChatText(String text, List<Span> trained) {}
