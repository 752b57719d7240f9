package dev.gale.train.data;

import dev.gale.tensor.InputException;
import dev.gale.train.jinja.Rendering;
import dev.gale.train.jinja.Span;
import dev.gale.train.jinja.Template;
import dev.gale.train.jinja.TemplateException;
import dev.gale.train.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Writes conversations as a model expects them, and knows which of the text the assistant says. It renders with the
/// variables that Transformers passes: `messages`, `tools`, `documents`, `add_generation_prompt` and the special
/// tokens. May be used from several threads.
public final class ChatTemplate {
    private static final String PROBE = "qzxjkvwp";
    private static final String OTHER = "wvjkqpzx";

    private final Template template;
    private final Template toolTemplate;
    private final Map<String, String> specialTokens;
    private final String source;

    private ChatTemplate(Template template, Template toolTemplate, Map<String, String> specialTokens, String source) {
        this.source = source;
        this.template = template;
        this.toolTemplate = toolTemplate;
        this.specialTokens = specialTokens;
    }

    /// The template of a tokenizer, empty if it has none. Conversations with tools use the one named `tool_use` if
    /// there is one.
    ///
    /// Throws InputException when the template is malformed.
    public static Optional<ChatTemplate> of(Tokenizer tokenizer) {
        String place = "the chat template of " + tokenizer.source();
        Map<String, String> templates = tokenizer.chatTemplates();
        return tokenizer.chatTemplate().map(source -> new ChatTemplate(parse(source, place),
                parse(templates.getOrDefault("tool_use", source), place), tokenizer.specialTokens(), place));
    }

    /// The template of a file or, where there is no such file, the one of that name among Gale's own.
    ///
    /// @param specialTokens by name, e.g. `eos_token`
    /// Throws InputException when there is neither, or the file is malformed.
    public static ChatTemplate load(Path file, Map<String, String> specialTokens) {
        String place = "the chat template " + file;
        Template template = parse(source(file), place);
        return new ChatTemplate(template, template, specialTokens, place);
    }

    /// The text of what `load` reads.
    public static String source(Path file) {
        Optional<String> named = Files.exists(file) ? Optional.empty() : NamedTemplates.source(file.toString());
        if (named.isPresent()) return named.get();
        try {
            return Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new InputException("the chat template %s is not UTF-8 text; save it as UTF-8".formatted(file), e);
        } catch (IOException e) {
            throw new InputException("the chat template %s cannot be read (%s); give the path of a Jinja file or one of %s"
                    .formatted(file, e, String.join(", ", NamedTemplates.NAMES)), e);
        }
    }

    /// A template from its source.
    ///
    /// Throws InputException when it is malformed.
    public static ChatTemplate parse(String source, Map<String, String> specialTokens) {
        Template template = parse(source, "the chat template");
        return new ChatTemplate(template, template, specialTokens, "the chat template");
    }

    private static Template parse(String source, String place) {
        try {
            return Template.parse(source);
        } catch (TemplateException e) {
            throw new InputException("%s is malformed: %s".formatted(place, firstLine(e)), e);
        }
    }

    /// The text of a conversation.
    ///
    /// @param addGenerationPrompt end with what makes the model answer
    ///
    /// Throws InputException when the template refuses it.
    public String render(List<Map<String, Object>> messages, boolean addGenerationPrompt) {
        return render(new Sample.Chat(messages, 0, null, Map.of()), addGenerationPrompt, "");
    }

    String render(Sample.Chat chat, boolean addGenerationPrompt, String place) {
        return rendering(chat, addGenerationPrompt, place).text();
    }

    private Rendering rendering(Sample.Chat chat, boolean addGenerationPrompt, String place) {
        try {
            return rendering(chat, chat.messages(), addGenerationPrompt);
        } catch (TemplateException e) {
            throw new InputException("%s%s does not accept the conversation (%s); correct one of them"
                    .formatted(place.isEmpty() ? "" : place + ": ", source, firstLine(e)), e);
        }
    }

    private Rendering rendering(Sample.Chat chat, List<Map<String, Object>> messages, boolean addGenerationPrompt) {
        Map<String, Object> variables = new LinkedHashMap<>(specialTokens);
        variables.put("messages", messages);
        variables.put("tools", chat.tools());
        variables.put("documents", null);
        variables.put("add_generation_prompt", addGenerationPrompt);
        variables.putAll(chat.variables());
        return (chat.tools() == null ? template : toolTemplate).render(variables);
    }

    /// The text of a conversation and what of it the assistant says: the `{% generation %}` blocks of the template if
    /// it has them, else what `TurnSpans` finds by rendering parts of the conversation.
    ///
    /// @param place where the conversation comes from, for messages
    ///
    /// Throws InputException when the template refuses it or does not show where the assistant begins and ends.
    public ChatText training(Sample.Chat chat, String place) {
        Rendering full = rendering(chat, false, place);
        if (!full.generation().isEmpty()) return new ChatText(full.text(), merged(full.generation()));
        TurnSpans turns = new TurnSpans((messages, prompt) -> attempt(chat, messages, prompt), chat.messages(),
                full.text());
        return new ChatText(full.text(), merged(turns.find(place)));
    }

    /// The text of a prompt-completion pair of messages; trained is what follows the prompt.
    ChatText completion(Sample.Chat chat, String place) {
        ChatText all = training(chat, place);
        List<Map<String, Object>> prompt = chat.messages().subList(0, chat.promptMessages());
        String rendered = attempt(chat, prompt, true);
        if (rendered != null && all.text().startsWith(rendered)) {
            return new ChatText(all.text(), List.of(new Span(rendered.length(), all.text().length())));
        }
        String plain = attempt(chat, prompt, false);
        if (plain == null || !all.text().startsWith(plain)) {
            throw new InputException(place + ": the chat template does not show where the completion begins; use a "
                    + "messages column with assistant_only_loss");
        }
        return new ChatText(all.text(), all.trained().stream().filter(s -> s.start() >= plain.length()).toList());
    }

    /// What follows an answer: the end of the assistant's turn, and what the template puts behind it. Empty when it does not
    /// show.
    Optional<String> afterAnswer() {
        String rendered = attempt(probe(Map.of("role", "user", "content", OTHER),
                Map.of("role", "assistant", "content", PROBE)));
        int at = rendered == null ? -1 : rendered.indexOf(PROBE);
        return at < 0 ? Optional.empty() : Optional.of(rendered.substring(at + PROBE.length()));
    }

    /// Whether a system message is left out rather than written or refused.
    boolean leavesOutSystem() {
        String rendered = attempt(probe(Map.of("role", "system", "content", PROBE), Map.of("role", "user", "content", OTHER),
                Map.of("role", "assistant", "content", OTHER)));
        return rendered != null && rendered.contains(OTHER) && !rendered.contains(PROBE);
    }

    /// Whether documents are left out rather than written or refused.
    boolean leavesOutDocuments() {
        Sample.Chat chat = new Sample.Chat(List.of(Map.of("role", "user", "content", OTHER)), 0, null,
                Map.of("documents", List.of(Map.of("title", PROBE, "text", PROBE))));
        String rendered = attempt(chat);
        return rendered != null && rendered.contains(OTHER) && !rendered.contains(PROBE);
    }

    @SafeVarargs
    private static Sample.Chat probe(Map<String, Object>... messages) {
        return new Sample.Chat(List.of(messages), 0, null, Map.of());
    }

    private String attempt(Sample.Chat chat) {
        return attempt(chat, chat.messages(), false);
    }

    private String attempt(Sample.Chat chat, List<Map<String, Object>> messages, boolean addGenerationPrompt) {
        try {
            return rendering(chat, messages, addGenerationPrompt).text();
        } catch (TemplateException refused) {
            return null;
        }
    }

    private static List<Span> merged(List<Span> spans) {
        List<Span> merged = new ArrayList<>();
        for (Span span : spans.stream().sorted(Comparator.comparingInt(Span::start)).toList()) {
            if (span.end() <= span.start()) continue;
            if (!merged.isEmpty() && span.start() <= merged.getLast().end()) {
                Span before = merged.removeLast();
                merged.add(new Span(before.start(), Math.max(before.end(), span.end())));
            } else {
                merged.add(span);
            }
        }
        return merged;
    }

    private static String firstLine(RuntimeException e) {
        return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    }
}
