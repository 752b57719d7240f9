package dev.gale.train.data.read;

/// What a row of a plain text file is, by the names of Hugging Face's `text` loader.
public enum SampleBy { LINE, PARAGRAPH, DOCUMENT }
