package dev.gale.train.data;

import dev.gale.tensor.InputException;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/// Reads rows that were tokenized elsewhere, with the columns that TRL's and Transformers' collators take. Positions that
/// `attention_mask` hides at either end are padding and dropped.
final class TokenColumns {
    static final String IDS = "input_ids";
    static final String LABELS = "labels";
    static final String COMPLETION = "completion_mask";
    static final String ASSISTANT = "assistant_masks";
    private static final String ATTENTION = "attention_mask";
    static final Set<String> ALL = Set.of(IDS, LABELS, ATTENTION, COMPLETION, ASSISTANT);
    private static final int NO_LABEL = -100;

    private final Row row;
    private final int[] ids;

    private TokenColumns(Row row) {
        this.row = row;
        this.ids = numbers(IDS);
    }

    /// Throws InputException when a column is no list of whole numbers as long as the ids, a mask has others than 0 and 1, a
    /// label is neither -100 nor the id at its place, or hidden positions are no padding.
    static Sample.Tokens tokens(Row row) {
        row.require(IDS);
        return new TokenColumns(row).tokens();
    }

    private Sample.Tokens tokens() {
        if (ids == null || ids.length == 0) throw wrong(IDS, "a list of token ids with at least one");
        boolean[] seen = mask(ATTENTION);
        int from = 0;
        int to = ids.length;
        while (seen != null && from < to && !seen[from]) from++;
        while (seen != null && to > from && !seen[to - 1]) to--;
        for (int i = from; seen != null && i < to; i++) {
            if (seen[i]) continue;
            throw new InputException("%s: '%s' hides position %d between others, which is no padding; make a row of each part"
                    .formatted(row.place(), ATTENTION, i));
        }
        if (from == to) throw new InputException("%s: '%s' hides all tokens; remove the row".formatted(row.place(), ATTENTION));
        return new Sample.Tokens(Arrays.copyOfRange(ids, from, to), part(labelled(), from, to),
                part(mask(COMPLETION), from, to), part(mask(ASSISTANT), from, to));
    }

    private static boolean[] part(boolean[] marks, int from, int to) {
        return marks == null ? null : Arrays.copyOfRange(marks, from, to);
    }

    private boolean[] labelled() {
        boolean[] labelled = new boolean[ids.length];
        Arrays.fill(labelled, true);
        int[] labels = numbers(LABELS);
        for (int i = 0; labels != null && i < ids.length; i++) {
            labelled[i] = labels[i] != NO_LABEL;
            if (!labelled[i] || labels[i] == ids[i]) continue;
            throw new InputException(("%s: '%s' has %d at position %d, where '%s' has %d; write the same id there, or -100: "
                    + "labels are not shifted").formatted(row.place(), LABELS, labels[i], i, IDS, ids[i]));
        }
        return labelled;
    }

    private boolean[] mask(String column) {
        int[] numbers = numbers(column);
        if (numbers == null) return null;
        boolean[] mask = new boolean[numbers.length];
        for (int i = 0; i < mask.length; i++) {
            if (numbers[i] != 0 && numbers[i] != 1) throw wrong(column, "a list of 0 and 1");
            mask[i] = numbers[i] == 1;
        }
        return mask;
    }

    /// The numbers of a column, true and false as 1 and 0, also those written as 1.0; null when the row lacks it.
    private int[] numbers(String column) {
        Object value = Conversations.json(row, column);
        if (value == null) return null;
        if (!(value instanceof List<?> list)) throw wrong(column, "a list of whole numbers");
        int[] numbers = new int[list.size()];
        for (int i = 0; i < numbers.length; i++) {
            Object number = list.get(i);
            if (number instanceof Boolean mark) number = mark ? 1 : 0;
            boolean whole = number instanceof Number given && given.doubleValue() == given.intValue();
            if (!whole) throw wrong(column, "a list of whole numbers");
            numbers[i] = ((Number) number).intValue();
        }
        if (ids != null && numbers.length != ids.length) {
            throw new InputException("%s: '%s' has %d values, but '%s' has %d; write one for each token"
                    .formatted(row.place(), column,
                    numbers.length, IDS, ids.length));
        }
        return numbers;
    }

    private InputException wrong(String column, String expected) {
        return new InputException("%s: column '%s' must be %s; correct it".formatted(row.place(), column, expected));
    }
}
