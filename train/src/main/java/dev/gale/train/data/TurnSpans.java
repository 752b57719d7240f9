package dev.gale.train.data;

import dev.gale.tensor.InputException;
import dev.gale.train.jinja.Span;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Finds what the assistant says in a rendered conversation by rendering variations of it; nothing is searched for in
/// what people wrote. For the turn at message i:
///
/// - **From prompt and prefix.** Messages before i, rendered with a generation prompt, are what the model would be
///   given; messages up to i are the conversation at the end of the turn. Where both are prefixes of the whole, the
///   turn is what lies between them.
/// - **From substitution.** Where they are not (a template that closes conversations, drops old reasoning or has no
///   generation prompt), the turn's text is replaced by one marker and by another; what differs from the whole is the
///   text of the turn. What follows it in the conversation that ends here and in the whole is the end of the turn.
///
/// If neither tells, the conversation is refused.
final class TurnSpans {
    private static final List<String> MARKERS = List.of("qzxjkvwp", "wvjkqpzx");
    private static final List<String> TEXTS = List.of("reasoning_content", "thinking", "content");

    /// Renders messages, with a generation prompt or without; null when the template refuses them.
    @FunctionalInterface
    interface Renderer {
        String render(List<Map<String, Object>> messages, boolean addGenerationPrompt);
    }

    private final Renderer renderer;
    private final List<Map<String, Object>> messages;
    private final String full;

    TurnSpans(Renderer renderer, List<Map<String, Object>> messages, String full) {
        this.renderer = renderer;
        this.messages = messages;
        this.full = full;
    }

    /// The spans of the assistant's turns in order; a turn that the template leaves out has none.
    List<Span> find(String place) {
        List<Span> spans = new ArrayList<>();
        int before = 0;
        for (int i = 0; i < messages.size(); i++) {
            if (!"assistant".equals(messages.get(i).get("role"))) continue;
            Span span = turn(i);
            if (span == null && leftOut(i)) continue;
            if (span == null || span.start() < before || span.end() < span.start()) {
                throw new InputException(("%s: the chat template does not show where message %d, the assistant's, "
                        + "begins and ends; use a template with {%% generation %%} or set assistant_only_loss to false")
                        .formatted(place, i + 1));
            }
            before = span.end();
            spans.add(span);
        }
        return spans;
    }

    private Span turn(int i) {
        String prompt = renderer.render(messages.subList(0, i), true);
        String plain = renderer.render(messages.subList(0, i), false);
        String closed = i == messages.size() - 1 ? full : renderer.render(messages.subList(0, i + 1), false);
        boolean prompted = prompt != null && full.startsWith(prompt);
        boolean asks = prompted && !prompt.equals(plain);
        boolean prefix = closed != null && full.startsWith(closed);
        if (asks && prefix && closed.length() >= prompt.length()) return new Span(prompt.length(), closed.length());

        Span text = substituted(messages, full, i);
        if (text == null) {
            return prompted && prefix && closed.length() > prompt.length()
                    ? new Span(prompt.length(), closed.length()) : null;
        }
        int start = asks ? prompt.length() : promptEnd(prompt, plain);
        if (start < 0 || start > text.start()) start = text.start();
        if (prefix && closed.length() >= text.end()) return new Span(start, closed.length());
        return closed == null ? null : endOf(i, closed, start, text.end());
    }

    /// Where the whole and the prompt part, when that is inside the generation prompt (one that opens a reasoning
    /// block, say, which the whole then closes at once or has not); else -1.
    private int promptEnd(String prompt, String plain) {
        if (prompt == null || plain == null || plain.isEmpty()) return -1;
        if (!full.startsWith(plain) || !prompt.startsWith(plain)) return -1;
        int end = wholeMarks(full, commonPrefix(prompt, full));
        return end > plain.length() ? end : -1;
    }

    /// The end of a turn behind which the conversation, when it ends there, goes on otherwise than in the whole.
    private Span endOf(int i, String closed, int start, int textEnd) {
        Span inClosed = substituted(messages.subList(0, i + 1), closed, i);
        if (inClosed == null) return null;
        String last = closed.substring(inClosed.end());
        String here = full.substring(textEnd);
        int common = commonPrefix(last, here);
        return new Span(start, textEnd + (common == last.length() ? common : wholeMarks(here, common)));
    }

    /// Where the turn's text stands in a rendering of the conversation; null when substitution does not tell.
    private Span substituted(List<Map<String, Object>> conversation, String rendered, int i) {
        int from = rendered.length();
        int to = 0;
        for (String key : TEXTS) {
            int keyFrom = rendered.length();
            int keyFollowing = rendered.length();
            boolean found = conversation.get(i).get(key) != null;
            for (String marker : MARKERS) {
                while (rendered.contains(marker)) marker += marker.charAt(0);
                String marked = found ? renderMarked(conversation, i, key, marker) : null;
                int at = marked == null ? -1 : marked.indexOf(marker);
                if (at < 0 || marked.indexOf(marker, at + 1) >= 0) {
                    found = false;
                    break;
                }
                keyFrom = Math.min(keyFrom, commonPrefix(marked, rendered));
                keyFollowing = Math.min(keyFollowing, commonSuffix(marked, rendered));
            }
            if (!found || keyFrom + keyFollowing > rendered.length()) continue;
            from = Math.min(from, keyFrom);
            to = Math.max(to, rendered.length() - keyFollowing);
        }
        return from <= to ? new Span(from, to) : null;
    }

    private boolean leftOut(int i) {
        String without = renderMarked(messages, i, "content", MARKERS.getFirst());
        return full.equals(without);
    }

    /// The conversation rendered with another text in one turn; null when the turn has none of that kind or the
    /// template refuses it.
    private String renderMarked(List<Map<String, Object>> conversation, int i, String key, String marker) {
        Map<String, Object> turn = new LinkedHashMap<>(conversation.get(i));
        Object marked = marked(turn.get(key), marker);
        if (marked == null) return null;
        turn.put(key, marked);
        List<Map<String, Object>> changed = new ArrayList<>(conversation);
        changed.set(i, turn);
        return renderer.render(changed, false);
    }

    /// The marker in place of a text, or of the only text in a list of content parts.
    private static Object marked(Object value, String marker) {
        if (value instanceof String) return marker;
        if (!(value instanceof List<?> parts)) return null;
        List<Object> changed = new ArrayList<>();
        int texts = 0;
        for (Object part : parts) {
            if (part instanceof Map<?, ?> map && map.get("text") instanceof String) {
                Map<Object, Object> copy = new LinkedHashMap<>(map);
                copy.put("text", marker);
                changed.add(copy);
                texts++;
            } else {
                changed.add(part);
            }
        }
        return texts == 1 ? changed : null;
    }

    /// The largest length up to `common` at which no mark like `<|user|>` and no word is cut.
    private static int wholeMarks(String text, int common) {
        int end = common;
        while (end > 0 && !endsMark(text.charAt(end - 1))) end--;
        return end;
    }

    private static boolean endsMark(char c) {
        return Character.isWhitespace(c) || c == '>' || c == ']' || c == '}';
    }

    private static int commonPrefix(String a, String b) {
        int n = Math.min(a.length(), b.length());
        int i = 0;
        while (i < n && a.charAt(i) == b.charAt(i)) i++;
        return i;
    }

    private static int commonSuffix(String a, String b) {
        int n = Math.min(a.length(), b.length());
        int i = 0;
        while (i < n && a.charAt(a.length() - 1 - i) == b.charAt(b.length() - 1 - i)) i++;
        return i;
    }
}
