package dev.gale.train.data.report;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.tensor.InputException;
import dev.gale.train.data.Example;
import dev.gale.train.data.read.RawRow;
import dev.gale.train.data.clean.RowText;
import dev.gale.train.tokenizer.TokenStream;
import dev.gale.train.tokenizer.Tokenizer;
import java.util.List;
import java.util.Optional;

/// A row as training sees it: its tokens, and which of them are learned.
final class ExampleView {
    private static final int MOST_TOKENS = 1200;
    private static final int MOST_CHARS = 5000;

    private ExampleView() {}

    /// @param columns that carry the text; when empty, those known to, or else all
    static void write(Html html, RawRow row, RowStudy reader, Optional<Tokenizer> tokenizer, int maxLength,
            List<String> columns) {
        html.add("<div class=\"example\"><h3>Line %,d</h3>", row.line());
        try {
            Optional<Example> example = reader.example(row);
            if (example.isPresent()) tokens(html, example.get(), tokenizer.orElseThrow(), maxLength);
            else text(html, row.values(), columns);
        } catch (InputException e) {
            html.add("<p>").text(e.getMessage()).add("</p>");
        }
        html.add("</div>");
    }

    private static void tokens(Html html, Example whole, Tokenizer tokenizer, int maxLength) {
        Example example = whole.first(maxLength);
        html.add("<p class=\"quiet\">%,d tokens%s, %,d of them learned</p>", whole.length(),
                whole.length() > maxLength ? ", cut off after %,d".formatted(maxLength) : "", example.trainedTokens());
        html.add("<div class=\"tokens\" tabindex=\"0\" role=\"region\" aria-label=\"tokens\">");
        TokenStream stream = tokenizer.stream(false);
        int shown = Math.min(MOST_TOKENS, example.length());
        boolean marked = false;
        for (int i = 0; i < shown; i++) {
            String piece = stream.push(example.ids()[i]);
            if (i == shown - 1) piece += stream.flush();
            boolean trained = i > 0 && example.trained()[i];
            if (trained != marked) html.add(trained ? "<mark>" : "</mark>");
            marked = trained;
            if (!piece.isEmpty()) html.add("<i>").text(piece).add("</i>");
        }
        if (marked) html.add("</mark>");
        if (shown < example.length()) html.add(" … and %,d more tokens", example.length() - shown);
        html.add("</div>");
    }

    private static void text(Html html, ObjectNode row, List<String> columns) {
        RowText text = RowText.of(row, columns);
        html.add("<div class=\"tokens\" tabindex=\"0\" role=\"region\" aria-label=\"text\">");
        if (text.answer().isPresent() && !text.prompt().isEmpty()) html.text(shortened(text.prompt())).add("\n");
        html.add("<mark>").text(shortened(text.answer().orElse(text.text()))).add("</mark></div>");
    }

    private static String shortened(String text) {
        return text.length() <= MOST_CHARS ? text : text.substring(0, MOST_CHARS) + " …";
    }
}
