package dev.gale.train;

import dev.gale.nn.generate.GenerationConfig;
import dev.gale.nn.generate.Generator;
import dev.gale.nn.generate.TokenListener;
import dev.gale.train.tokenizer.TokenStream;
import dev.gale.train.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.List;

/// Continues text: prompts in, continuations out, ended by an end-of-sequence token, a stop string or the token limit.
public final class TextGenerator {
    private final Generator generator;
    private final Tokenizer tokenizer;

    public TextGenerator(FastLanguageModel model) {
        generator = new Generator(model.model());
        tokenizer = model.tokenizer();
    }

    /// Hears text as it becomes final.
    @FunctionalInterface
    public interface TextListener {
        void onText(int prompt, String text);
    }

    /// The continuation of each prompt, without the prompt, the ending token and what begins with a stop string.
    ///
    /// @param stop strings that end a continuation, perhaps none
    public List<String> generate(List<String> prompts, GenerationConfig config, List<String> stop,
                                 TextListener listener) {
        List<int[]> ids = prompts.stream().map(prompt -> tokenizer.ids(prompt, true)).toList();
        return generateFrom(ids, config, stop, listener);
    }

    /// As `generate`, for prompts that are tokens already: what a chat template wrote has its special tokens.
    public List<String> generateFrom(List<int[]> ids, GenerationConfig config, List<String> stop,
                                     TextListener listener) {
        List<Continuation> continuations = new ArrayList<>();
        for (int i = 0; i < ids.size(); i++) continuations.add(new Continuation(i, config, stop, listener));
        TokenListener onToken = (sequence, token) -> continuations.get(sequence).take(token);
        generator.generate(ids, config, onToken);
        return continuations.stream().map(Continuation::finish).toList();
    }

    /// One prompt's text so far. Text that may be the beginning of a stop string is held back until it is clear.
    private final class Continuation {
        private final int prompt;
        private final GenerationConfig config;
        private final List<String> stop;
        private final TextListener listener;
        private final TokenStream stream = tokenizer.stream(true);
        private final StringBuilder text = new StringBuilder();
        private int given;
        private boolean ended;

        Continuation(int prompt, GenerationConfig config, List<String> stop, TextListener listener) {
            this.prompt = prompt;
            this.config = config;
            this.stop = stop;
            this.listener = listener;
        }

        boolean take(int token) {
            if (config.eosTokenIds().contains(token)) return false;
            append(stream.push(token));
            return !ended;
        }

        private void append(String piece) {
            int from = Math.max(given, text.length() - longestStop());
            text.append(piece);
            for (String end : stop) {
                int at = text.indexOf(end, from);
                if (at >= 0) {
                    text.setLength(at);
                    ended = true;
                }
            }
            give(ended ? text.length() : text.length() - heldBack());
        }

        private int longestStop() {
            return stop.stream().mapToInt(String::length).max().orElse(0);
        }

        /// Length of the longest end of the text that begins a stop string.
        private int heldBack() {
            for (int length = Math.min(longestStop() - 1, text.length() - given); length > 0; length--) {
                String tail = text.substring(text.length() - length);
                if (stop.stream().anyMatch(end -> end.startsWith(tail))) return length;
            }
            return 0;
        }

        private void give(int end) {
            if (end <= given) return;
            listener.onText(prompt, text.substring(given, end));
            given = end;
        }

        String finish() {
            if (!ended) append(stream.flush());
            give(text.length());
            return text.toString();
        }
    }
}
