package dev.gale.train.data.clean;

import java.util.Locale;

/// Why a row was taken out; the first that holds, in this order.
public enum Reason {
    EMPTY_ANSWER("the answer is empty"),
    TOO_SHORT("fewer characters than --min-chars"),
    TOO_LONG("more characters than --max-chars"),
    BROKEN_TEXT("characters that a wrong encoding left"),
    SYMBOLS("mostly symbols"),
    REPETITION("says the same again and again"),
    LANGUAGE("in another language"),
    PERSONAL_DATA("personal data or secrets"),
    EXACT_DUPLICATE("the same text as an earlier row"),
    NEAR_DUPLICATE("nearly the text of an earlier row");

    private final String meaning;

    Reason(String meaning) {
        this.meaning = meaning;
    }

    /// For people.
    public String meaning() {
        return meaning;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
