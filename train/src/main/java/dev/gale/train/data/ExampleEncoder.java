package dev.gale.train.data;

import dev.gale.tensor.InputException;
import dev.gale.train.SftConfig;
import dev.gale.train.tokenizer.Encoding;
import dev.gale.train.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;

/// Turns samples into token ids with marks of what is trained. May be used from several threads.
final class ExampleEncoder {
    /// Mark of a text that begins with the BOS that the tokenizer would have added.
    static final int BOS_LEFT_OUT = 1;

    /// What the loss is taken from.
    private enum Loss { EVERYTHING, COMPLETION, ASSISTANT }

    private final Tokenizer tokenizer;
    private final Loss loss;
    private final Optional<ChatTemplate> chatTemplate;
    private final SftConfig options;

    ExampleEncoder(Tokenizer tokenizer, RowFormat format, DatasetConfig data, SftConfig options) {
        this.tokenizer = tokenizer;
        this.options = options;
        this.loss = loss(format, options);
        this.chatTemplate = template(tokenizer, data);
    }

    /// The dataset's template, else the tokenizer's, if it has one.
    static Optional<ChatTemplate> template(Tokenizer tokenizer, DatasetConfig data) {
        return data.chatTemplate().map(file -> ChatTemplate.load(file, tokenizer.specialTokens()))
                .or(() -> ChatTemplate.of(tokenizer));
    }

    /// An encoder of answers to prompts, of which the answers are trained, for trainers that compare or judge them.
    static ExampleEncoder ofAnswers(Tokenizer tokenizer, DatasetConfig data) {
        return new ExampleEncoder(tokenizer, RowFormat.PROMPT_COMPLETION, data, SftConfig.builder().build());
    }

    private static Loss loss(RowFormat format, SftConfig options) {
        if (format == RowFormat.TOKENS) return Loss.EVERYTHING;
        String name = format.name().toLowerCase(Locale.ROOT);
        boolean conversations = format == RowFormat.MESSAGES || format == RowFormat.PROMPT_COMPLETION;
        if (options.assistantOnlyLoss() && !conversations) {
            throw new InputException(("assistant_only_loss needs conversations, but the dataset has the format '%s'; "
                    + "use completion_only_loss or a messages column").formatted(name));
        }
        boolean completionOnly = options.completionOnlyLoss().orElse(format.hasPrompt());
        if (completionOnly && !format.hasPrompt()) {
            throw new InputException(("completion_only_loss needs prompts and completions, but the dataset has the "
                    + "format '%s'; use %s").formatted(name, format == RowFormat.MESSAGES ? "assistant_only_loss"
                    : "prompt_field and completion_field, or a template"));
        }
        return options.assistantOnlyLoss() ? Loss.ASSISTANT : completionOnly ? Loss.COMPLETION : Loss.EVERYTHING;
    }

    /// @param place where the sample comes from, for messages
    Example encode(Sample sample, String place) {
        return marked(sample, place).example();
    }

    /// The same, marked with `BOS_LEFT_OUT` where that is so, else with 0.
    Dataset.Marked marked(Sample sample, String place) {
        return switch (sample) {
            case Sample.Text text -> text(text, place);
            case Sample.Chat chat -> new Dataset.Marked(chat(chat, place), 0);
            case Sample.Segments segments -> new Dataset.Marked(segments(segments), 0);
            case Sample.Tokens tokens -> new Dataset.Marked(tokens(tokens, place), 0);
        };
    }

    /// A conversation as its template writes it; the template says where texts begin and end, so nothing is added. A
    /// token is trained when its last character is: it may begin with the blank that the template put before a turn.
    private Example chat(Sample.Chat sample, String place) {
        ChatTemplate template = chatTemplate.orElseThrow(() -> new InputException(place + " is a conversation, but the "
                + "tokenizer has no chat template; set dataset.chat_template to a Jinja file"));
        ChatText chat = switch (loss) {
            case ASSISTANT -> template.training(sample, place);
            case COMPLETION -> template.completion(sample, place);
            case EVERYTHING -> null;
        };
        if (chat == null) return Example.allTrained(tokenizer.ids(template.render(sample, false, place), false));
        Encoding encoding = tokenizer.encode(chat.text(), false);
        boolean[] trained = new boolean[encoding.length()];
        int next = 0;
        for (int i = 0; i < trained.length; i++) {
            int end = encoding.ends()[i];
            while (next < chat.trained().size() && chat.trained().get(next).end() < end) next++;
            trained[i] = next < chat.trained().size() && end > chat.trained().get(next).start()
                    && end > encoding.starts()[i];
        }
        return new Example(encoding.ids(), trained);
    }

    /// Plain text ends with the end-of-text token, once. A token is part of the completion when any of it is.
    private Dataset.Marked text(Sample.Text sample, String place) {
        if (loss == Loss.ASSISTANT) {
            throw new InputException(place
                    + ": assistant_only_loss needs messages, but prompt and completion are text");
        }
        String text = withoutEnd(sample.prompt() + sample.completion());
        Encoding encoding = tokenizer.encode(text, true);
        int[] ids = encoding.ids();
        int first = hasBosTwice(encoding) ? 1 : 0;
        boolean end = tokenizer.eosId().isPresent()
                && (ids.length == first || ids[ids.length - 1] != tokenizer.eosId().getAsInt());
        int[] kept = Arrays.copyOfRange(ids, first, ids.length + (end ? 1 : 0));
        if (end) kept[kept.length - 1] = tokenizer.eosId().getAsInt();
        boolean[] trained = new boolean[kept.length];
        int begin = loss == Loss.EVERYTHING ? 0 : sample.prompt().length();
        boolean inside = false;
        for (int i = 0; i < kept.length; i++) {
            boolean covers = i + first < ids.length && encoding.ends()[i + first] > encoding.starts()[i + first];
            if (covers) inside = encoding.ends()[i + first] > begin;
            boolean last = i == kept.length - 1 && !covers;
            trained[i] = loss == Loss.EVERYTHING || inside || last;
        }
        return new Dataset.Marked(new Example(kept, trained), first == 1 ? BOS_LEFT_OUT : 0);
    }

    /// Segments tokenized one by one, without special tokens but those that they spell out.
    private Example segments(Sample.Segments sample) {
        List<int[]> parts = sample.segments().stream().map(segment -> tokenizer.ids(segment.text(), false)).toList();
        int[] ids = parts.stream().flatMapToInt(IntStream::of).toArray();
        boolean[] trained = new boolean[ids.length];
        int begin = 0;
        for (int i = 0; i < parts.size(); i++) {
            int end = begin + parts.get(i).length;
            Arrays.fill(trained, begin, end, loss == Loss.EVERYTHING || sample.segments().get(i).trained());
            begin = end;
        }
        return new Example(ids, trained);
    }

    /// Tokens as they are; trained is what has a label and no mask leaves out.
    private Example tokens(Sample.Tokens sample, String place) {
        for (int i = 0; i < sample.ids().length; i++) {
            int id = sample.ids()[i];
            if (id >= 0 && id < tokenizer.vocabSize()) continue;
            throw new InputException(("%s: '%s' has %d at position %d, but %s has the ids 0 to %d; tokenize the rows with this "
                    + "tokenizer").formatted(place, TokenColumns.IDS, id, i, tokenizer.source(), tokenizer.vocabSize() - 1));
        }
        boolean[] trained = sample.labelled().clone();
        boolean completionOnly = options.completionOnlyLoss().orElse(sample.completion() != null);
        if (completionOnly) keep(trained, sample.completion(), "completion_only_loss", TokenColumns.COMPLETION, place);
        boolean assistantOnly = options.assistantOnlyLoss() || sample.assistant() != null;
        if (assistantOnly) keep(trained, sample.assistant(), "assistant_only_loss", TokenColumns.ASSISTANT, place);
        return new Example(sample.ids(), trained);
    }

    private static void keep(boolean[] trained, boolean[] mask, String option, String column, String place) {
        if (mask == null) {
            throw new InputException(("%s has no column '%s', which %s takes the loss by; write it, or '%s' and leave out the "
                    + "option").formatted(place, column, option, TokenColumns.LABELS));
        }
        for (int i = 0; i < trained.length; i++) trained[i] &= mask[i];
    }

    private String withoutEnd(String text) {
        String end = tokenizer.eosToken().orElse("");
        return !end.isEmpty() && text.endsWith(end) ? text.substring(0, text.length() - end.length()) : text;
    }

    /// The tokenizer added a first token that the text has already.
    private boolean hasBosTwice(Encoding encoding) {
        int[] ids = encoding.ids();
        return ids.length > 1 && tokenizer.bosId().isPresent() && ids[0] == tokenizer.bosId().getAsInt()
                && ids[1] == ids[0] && encoding.ends()[0] == 0;
    }
}
