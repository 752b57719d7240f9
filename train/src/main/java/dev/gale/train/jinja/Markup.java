package dev.gale.train.jinja;

/// Text marked as safe HTML by the filters `safe` and `escape`: what is added to it is escaped.
record Markup(String text) {
    static Markup escaped(Object value, Values values) {
        return value instanceof Markup markup ? markup : new Markup(escape(values.string(value)));
    }

    static String escape(String text) {
        return text.replace("&", "&amp;").replace(">", "&gt;").replace("<", "&lt;").replace("'", "&#39;")
                .replace("\"", "&#34;");
    }
}
