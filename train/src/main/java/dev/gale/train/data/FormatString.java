package dev.gale.train.data;

import dev.gale.tensor.InputException;
import java.util.ArrayList;
import java.util.List;

/// A text with `{column}` places that a row fills; `{{` and `}}` stand for braces.
final class FormatString {
    /// Literal text, or the name of a column.
    private record Piece(String text, boolean column) {}

    private final List<Piece> pieces = new ArrayList<>();
    private final int lastColumn;

    private FormatString(String source) {
        StringBuilder literal = new StringBuilder();
        for (int i = 0; i < source.length(); i++) {
            char c = source.charAt(i);
            boolean doubled = (c == '{' || c == '}') && source.startsWith(String.valueOf(c), i + 1);
            if (c == '{' && !doubled) {
                int end = source.indexOf('}', i);
                if (end < 0 || source.substring(i + 1, end).isBlank()) throw brace(source, i);
                pieces.add(new Piece(literal.toString(), false));
                pieces.add(new Piece(source.substring(i + 1, end).strip(), true));
                literal.setLength(0);
                i = end;
            } else if (c == '}' && !doubled) {
                throw brace(source, i);
            } else {
                literal.append(c);
                if (doubled) i++;
            }
        }
        pieces.add(new Piece(literal.toString(), false));
        int last = -1;
        for (int i = 0; i < pieces.size(); i++) {
            if (pieces.get(i).column()) last = i;
        }
        lastColumn = last;
        if (last < 0) {
            throw new InputException("the dataset template has no {column}; write e.g. '### Question: {question}\\n"
                    + "### Answer: {answer}'");
        }
    }

    /// Throws InputException when the braces do not match or no column is named.
    static FormatString parse(String source) {
        return new FormatString(source);
    }

    private static InputException brace(String source, int at) {
        return new InputException("the dataset template has a '%c' at character %d that belongs to no {column}; "
                .formatted(source.charAt(at), at + 1) + "write it twice for the brace itself");
    }

    /// The text of a row. Its last column, with what stands behind it, is the completion: what a prompt made from the
    /// same template leaves open.
    Sample.Text fill(Row row) {
        StringBuilder text = new StringBuilder();
        int completion = 0;
        for (int i = 0; i < pieces.size(); i++) {
            if (i == lastColumn) completion = text.length();
            text.append(pieces.get(i).column() ? row.text(pieces.get(i).text()) : pieces.get(i).text());
        }
        return new Sample.Text(text.substring(0, completion), text.substring(completion));
    }
}
