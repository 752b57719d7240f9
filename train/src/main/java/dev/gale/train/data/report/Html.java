package dev.gale.train.data.report;

import java.util.Locale;

/// HTML that is being written. What comes from data goes through `text` only, which escapes it.
final class Html {
    private final StringBuilder out = new StringBuilder();

    /// Markup of the report's own, with values formatted as `String.format` does; values that are text must be escaped.
    Html add(String markup, Object... values) {
        out.append(values.length == 0 ? markup : String.format(Locale.ROOT, markup, values));
        return this;
    }

    /// Text of any origin.
    Html text(String text) {
        out.append(escape(text));
        return this;
    }

    static String escape(String text) {
        StringBuilder escaped = new StringBuilder(text.length() + 16);
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '&' -> escaped.append("&amp;");
                case '<' -> escaped.append("&lt;");
                case '>' -> escaped.append("&gt;");
                case '"' -> escaped.append("&quot;");
                case '\'' -> escaped.append("&#39;");
                default -> escaped.append(c < ' ' && c != '\n' && c != '\t' ? '\uFFFD' : c);
            }
        }
        return escaped.toString();
    }

    @Override
    public String toString() {
        return out.toString();
    }
}
