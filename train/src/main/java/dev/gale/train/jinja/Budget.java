package dev.gale.train.jinja;

/// What one rendering may still consume. Every loop and every text that a template can make grow is charged here.
final class Budget {
    /// Nested evaluations; a thread's default stack of 1 MB holds more than this.
    static final int MAX_DEPTH = 1000;
    private static final int CHARACTERS_PER_STEP = 16;

    private final long maxSteps;
    private final int maxCharacters;
    private long steps;
    private int depth;

    Budget(TemplateOptions options) {
        maxSteps = options.maxSteps();
        maxCharacters = options.maxCharacters();
    }

    void step() {
        steps(1);
    }

    void steps(long count) {
        steps += count;
        if (steps > maxSteps) {
            throw TemplateException.limit("the template took more than %,d steps: it may loop without end", maxSteps);
        }
    }

    /// Charges a text (or a list) of this length before it is built.
    void length(long length) {
        if (length > maxCharacters) {
            throw TemplateException.limit("the template built a value of more than %,d characters", maxCharacters);
        }
        steps(length / CHARACTERS_PER_STEP);
    }

    /// Refuses a text under construction that has grown too long; its length is charged once, when it is complete.
    void growing(StringBuilder text) {
        if (text.length() > maxCharacters) {
            length(text.length());
        }
    }

    void enter() {
        steps(1);
        if (++depth > MAX_DEPTH) {
            throw TemplateException.limit("the template nests or calls itself more than %,d levels deep", MAX_DEPTH);
        }
    }

    void leave() {
        depth--;
    }
}
