package dev.gale.train.data;

import dev.gale.tensor.InputException;
import dev.gale.train.SftConfig;
import dev.gale.train.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;

/// What goes wrong in silence otherwise: a model that never learned to end its turn does not stop, one that saw two BOS
/// tokens answers worse, a system message that a template drops teaches nothing.
public final class TrainingChecks {
    private final Tokenizer tokenizer;
    private final SftConfig options;
    private final ExampleList examples;
    private final boolean chats;
    private final boolean tokens;
    private final boolean documents;
    private final boolean turns;
    private final boolean writtenOut;
    private final Optional<ChatTemplate> template;
    private final List<String> notes = new ArrayList<>();
    private int without;
    private int cut;
    private int twice;
    private int leftOut;
    private int masked;

    private TrainingChecks(Tokenizer tokenizer, Dataset dataset, SftConfig options, List<Example> examples) {
        this.tokenizer = tokenizer;
        this.options = options;
        this.examples = ExampleList.of(examples);
        chats = dataset.format() == RowFormat.MESSAGES;
        tokens = dataset.format() == RowFormat.TOKENS;
        turns = chats || dataset.format().hasPrompt();
        writtenOut = tokens || dataset.format() == RowFormat.SEGMENTS;
        documents = dataset.columns().contains("documents");
        template = ExampleEncoder.template(tokenizer, dataset.config());
    }

    /// What to know before training on a dataset, a sentence for each thing with what to do about it.
    ///
    /// @param examples the dataset's, tokenized
    /// Throws InputException when the rows have turns, but in no example the end of one is trained; of segments and of
    /// token ids, which say everything themselves, that is a note.
    public static List<String> check(Tokenizer tokenizer, Dataset dataset, SftConfig options, List<Example> examples) {
        return new TrainingChecks(tokenizer, dataset, options, examples).check();
    }

    private List<String> check() {
        Optional<String> after = template.flatMap(ChatTemplate::afterAnswer);
        OptionalInt ofTemplate = after.map(this::firstSpecial).orElse(OptionalInt.empty());
        Set<Integer> ends = new HashSet<>(tokenizer.endIds());
        ofTemplate.ifPresent(ends::add);
        count(ends);
        if (turns || masked > 0 && !ends.isEmpty()) ends(ends, chats ? after : Optional.empty(), ofTemplate);
        if (chats && ofTemplate.isPresent() && !tokenizer.endIds().contains(ofTemplate.getAsInt())) {
            String end = text(ofTemplate.getAsInt());
            notes.add("turns end with %s, but generation stops at %s: set eos_token to %s"
                    .formatted(end, texts(tokenizer.endIds()), end));
        }
        beginnings();
        if (tokenizer.padId().isPresent() && tokenizer.padId().equals(tokenizer.eosId())) {
            notes.add(("pad_token is eos_token (%s): Gale pads nothing and trains it, but a program that masks padding would "
                    + "not: give pad_token a token of its own").formatted(tokenizer.padToken().orElseThrow()));
        }
        if (chats && template.filter(ChatTemplate::leavesOutSystem).isPresent()) {
            notes.add("the chat template leaves out system messages: take another one with dataset.chat_template, or put what "
                    + "they say into the user's first message");
        }
        if (documents && template.filter(ChatTemplate::leavesOutDocuments).isPresent()) {
            notes.add("the chat template leaves out documents: take another one with dataset.chat_template, or put what they "
                    + "say into a message");
        }
        return notes;
    }

    private OptionalInt firstSpecial(String text) {
        for (int id : tokenizer.ids(text, false)) {
            if (tokenizer.isSpecial(id)) return OptionalInt.of(id);
        }
        return OptionalInt.empty();
    }

    /// Goes through the examples once, which may be in a file.
    private void count(Set<Integer> ends) {
        OptionalInt bos = tokenizer.bosId();
        for (int i = 0; i < examples.size(); i++) {
            Example example = examples.get(i);
            int[] ids = example.ids();
            if (examples.mark(i) == ExampleEncoder.BOS_LEFT_OUT) leftOut++;
            if (tokens && example.trainedTokens() < ids.length - 1) masked++;
            if (bos.isPresent() && ids.length > 1 && ids[0] == bos.getAsInt() && ids[1] == ids[0]) twice++;
            if (trains(example, ends)) continue;
            without++;
            if (example.length() >= options.maxLength()) cut++;
        }
    }

    private void ends(Set<Integer> ends, Optional<String> after, OptionalInt ofTemplate) {
        if (without == 0) return;
        if (writtenOut && without == examples.size() && cut < without) {
            notes.add("no example trains the end of a turn (%s), so the model does not learn to stop: %s"
                    .formatted(texts(ends), remedyWrittenOut()));
            return;
        }
        String cutOff = "max_length (%d) cuts it off in %d: raise it".formatted(options.maxLength(), cut);
        if (without < examples.size()) {
            notes.add("%d of %d examples do not train the end of a turn (%s)%s".formatted(without, examples.size(), texts(ends),
                    cut > 0 ? "; " + cutOff : writtenOut ? ": " + remedyWrittenOut()
                    : ": let the chat template write it after each answer"));
            return;
        }
        String what = ends.isEmpty() ? "" : " (" + texts(ends) + ")";
        throw new InputException("no example trains the end of a turn%s, so the model would not learn to stop: %s"
                .formatted(what, cut == without ? cutOff : remedy(ends, after.map(String::strip).orElse(""), ofTemplate)));
    }

    private String remedyWrittenOut() {
        return tokens ? "give it its label, and a mask of 1" : "write it into the last segment";
    }

    private String remedy(Set<Integer> ends, String after, OptionalInt ofTemplate) {
        if (!after.isEmpty() && ofTemplate.isEmpty()) {
            return ("the chat template ends turns with '%s', which is no token of %s; add it with add_special_tokens, or take "
                    + "another dataset.chat_template").formatted(after.lines().findFirst().orElse(""), tokenizer.source());
        }
        if (ends.isEmpty()) return "set eos_token, which " + tokenizer.source() + " and the files beside it lack";
        return "let the chat template write it after each answer, inside of {% generation %} if it has that";
    }

    private static boolean trains(Example example, Set<Integer> ids) {
        for (int i = 1; i < example.length(); i++) {
            if (example.trained()[i] && ids.contains(example.ids()[i])) return true;
        }
        return false;
    }

    private void beginnings() {
        if (leftOut > 0) {
            notes.add("%d of %d texts begin with %s, which the tokenizer adds too: only one is kept; take it out of the texts"
                    .formatted(leftOut, examples.size(), tokenizer.bosToken().orElseThrow()));
        }
        if (twice == 0) return;
        notes.add("%d of %d examples begin with %s twice: take it out of %s".formatted(twice, examples.size(),
                tokenizer.bosToken().orElseThrow(), tokens ? "input_ids" : "the texts, or out of the chat template"));
    }

    private String texts(Set<Integer> ids) {
        return ids.isEmpty() ? "nothing" : ids.stream().sorted().map(this::text).collect(Collectors.joining(", "));
    }

    private String text(int id) {
        return tokenizer.decode(new int[] {id}, false);
    }
}
