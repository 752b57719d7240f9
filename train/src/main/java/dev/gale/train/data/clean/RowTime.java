package dev.gale.train.data.clean;

import com.fasterxml.jackson.databind.JsonNode;
import dev.gale.tensor.InputException;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneOffset;

/// When a row was written, in milliseconds since 1970.
final class RowTime {
    /// Seconds until the year 5138; larger numbers are milliseconds.
    private static final long MOST_SECONDS = 100_000_000_000L;

    private RowTime() {}

    /// Reads ISO 8601 (`2024`, `2024-05`, `2024-05-17`, `2024-05-17T12:00:00`, the same with an offset; a blank for the T), or
    /// seconds or milliseconds since 1970.
    ///
    /// Throws InputException when it is none of these.
    static long of(JsonNode value, String place, String column) {
        if (value.isNumber() && !(value.isIntegralNumber() && value.longValue() < 10_000)) {
            double number = value.doubleValue();
            return (long) (Math.abs(number) < MOST_SECONDS ? 1000 * number : number);
        }
        String text = value.asText().strip().replaceFirst("^(\\d{4}-\\d\\d-\\d\\d) ", "$1T");
        try {
            if (text.matches("\\d{4}")) return millis(Year.parse(text).atDay(1));
            if (text.matches("\\d{4}-\\d\\d")) return millis(YearMonth.parse(text).atDay(1));
            if (text.matches("\\d{4}-\\d\\d-\\d\\d")) return millis(LocalDate.parse(text));
            if (text.matches(".*(Z|[+-]\\d\\d(:?\\d\\d)?)")) return OffsetDateTime.parse(text).toInstant().toEpochMilli();
            return LocalDateTime.parse(text).toInstant(ZoneOffset.UTC).toEpochMilli();
        } catch (DateTimeException e) {
            throw new InputException(
                    "%s: column '%s' holds '%s', which is no time: write e.g. 2024-05-17T12:00:00Z, or seconds since 1970"
                    .formatted(place, column, value.asText()), e);
        }
    }

    private static long millis(LocalDate day) {
        return day.atStartOfDay(ZoneOffset.UTC).toInstant().toEpochMilli();
    }
}
