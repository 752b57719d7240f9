package dev.gale.train.data;

import dev.gale.tensor.InputException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Reads rows of answers to be compared or judged.
final class ComparisonRows {
    private ComparisonRows() {}

    /// Two answers to one prompt. Where the row has no prompt, it is what both begin with, as in TRL: whole messages, or
    /// text, of which a blank before the difference goes to the answers.
    ///
    /// Source: TRL, `extract_prompt`; without its slip where the first characters differ already.
    static PreferenceSample preference(Row row, DatasetConfig config) {
        String promptField = promptColumn(row, config);
        boolean chats = Conversations.isConversation(row.require("chosen"));
        if (chats != Conversations.isConversation(row.require("rejected"))) {
            throw new InputException(row.place() + ": one of chosen and rejected is text and the other one messages; "
                    + "write both alike");
        }
        if (!chats) return textPair(row, promptField);
        List<Map<String, Object>> chosen = Conversations.messages(row, "chosen");
        List<Map<String, Object>> rejected = Conversations.messages(row, "rejected");
        List<Map<String, Object>> prompt = new ArrayList<>();
        if (promptField != null && Conversations.isConversation(row.values().get(promptField))) {
            prompt.addAll(Conversations.messages(row, promptField));
        } else {
            int same = sharedMessages(chosen, rejected);
            if (promptField != null && same == 0) {
                prompt.add(new LinkedHashMap<>(Map.of("role", "user", "content", row.text(promptField))));
            }
            prompt.addAll(chosen.subList(0, same));
            chosen = chosen.subList(same, chosen.size());
            rejected = rejected.subList(same, rejected.size());
        }
        if (prompt.isEmpty()) {
            throw new InputException(row.place() + ": chosen and rejected have no message in common and there is no prompt");
        }
        return new PreferenceSample(answer(row, prompt, chosen), answer(row, prompt, rejected));
    }

    private static Sample answer(Row row, List<Map<String, Object>> prompt, List<Map<String, Object>> completion) {
        List<Map<String, Object>> all = new ArrayList<>(prompt);
        all.addAll(completion);
        return Conversations.chat(row, all, prompt.size());
    }

    private static int sharedMessages(List<?> chosen, List<?> rejected) {
        int most = Math.min(chosen.size(), rejected.size()) - 1;
        int same = 0;
        while (same < most && chosen.get(same).equals(rejected.get(same))) same++;
        return same;
    }

    private static PreferenceSample textPair(Row row, String promptField) {
        String chosen = row.text("chosen");
        String rejected = row.text("rejected");
        if (chosen.isEmpty() && rejected.isEmpty()) {
            throw new InputException(row.place() + ": chosen and rejected are both empty");
        }
        if (promptField != null) {
            String prompt = promptField.equals("instruction") ? RowFormat.alpacaPrompt(row) : row.text(promptField);
            return new PreferenceSample(new Sample.Text(prompt, chosen), new Sample.Text(prompt, rejected));
        }
        int most = Math.min(chosen.length(), rejected.length()) - 1;
        int same = 0;
        while (same < most && chosen.charAt(same) == rejected.charAt(same)) same++;
        boolean differ = same >= 0 && chosen.charAt(same) != rejected.charAt(same);
        if (differ && same > 0 && chosen.charAt(same - 1) == ' ') same--;
        if (same > 0 && Character.isHighSurrogate(chosen.charAt(same - 1))) same--;
        String prompt = chosen.substring(0, Math.max(0, same));
        return new PreferenceSample(new Sample.Text(prompt, chosen.substring(prompt.length())),
                new Sample.Text(prompt, rejected.substring(prompt.length())));
    }

    private static String promptColumn(Row row, DatasetConfig config) {
        if (row.values().containsKey(config.promptField())) return config.promptField();
        String conversation = Conversations.column(row);
        return conversation != null ? conversation : row.values().containsKey("instruction") ? "instruction" : null;
    }

    /// An answer and whether it is good.
    static KtoSample kto(Row row, DatasetConfig config) {
        Boolean label = label(row.require("label"));
        if (label == null) {
            throw new InputException(row.place() + ": the label must be true or false, found " + row.values().get("label"));
        }
        String conversation = Conversations.column(row);
        if (row.values().containsKey(config.promptField()) || conversation == null) {
            return new KtoSample(RowFormat.promptCompletion(row, config.promptField(), config.completionField()), label);
        }
        List<Map<String, Object>> messages = Conversations.messages(row, conversation);
        if (messages.size() < 2 || !"assistant".equals(messages.getLast().get("role"))) {
            throw new InputException("%s: column '%s' must end with the assistant's answer to something"
                    .formatted(row.place(), conversation));
        }
        return new KtoSample(Conversations.chat(row, messages, messages.size() - 1), label);
    }

    /// True or false, also as text, as CSV has it; null for anything else.
    static Boolean label(Object value) {
        if (value instanceof Boolean label) return label;
        if (!(value instanceof String text)) return null;
        return switch (text.strip().toLowerCase(Locale.ROOT)) {
            case "true" -> true;
            case "false" -> false;
            default -> null;
        };
    }

    /// What to do with such rows in supervised fine-tuning.
    static InputException notForSupervision(Row row, RowFormat format) {
        boolean pair = format == RowFormat.PREFERENCE;
        String conversation = Conversations.column(row);
        boolean asked = conversation == null || row.values().containsKey("prompt");
        String remedy = pair ? "dataset.columns to " + chosenAsAnswer(row, conversation)
                : "dataset.where to 'label' and dataset.format to " + (asked ? "prompt_completion" : "messages");
        return new InputException("%s has %s, which is for preference training; to train on the %s answers, set %s"
                .formatted(row.place(), pair ? "a chosen and a rejected answer" : "a label of good and bad answers",
                        pair ? "chosen" : "good", remedy));
    }

    private static String chosenAsAnswer(Row row, String conversation) {
        if (row.values().containsKey("prompt")) return "{completion: chosen}";
        if (conversation != null) return "{prompt: %s, completion: chosen}".formatted(conversation);
        if (row.values().containsKey("instruction")) return "{output: chosen}";
        return Conversations.isConversation(row.values().get("chosen")) ? "{messages: chosen}" : "{text: chosen}";
    }
}
