package dev.gale.train.jinja;

import java.time.DayOfWeek;
import java.time.ZonedDateTime;
import java.time.temporal.ChronoField;
import java.time.temporal.IsoFields;

/// Python's `strftime` in the C locale, for a time without a zone.
final class Strftime {
    private Strftime() {}

    static String format(String pattern, ZonedDateTime time) {
        StringBuilder result = new StringBuilder();
        for (int i = 0; i < pattern.length(); i++) {
            char c = pattern.charAt(i);
            if (c != '%' || i + 1 == pattern.length()) {
                result.append(c);
                continue;
            }
            char flag = pattern.charAt(++i);
            boolean flagged = "-_0^#".indexOf(flag) >= 0 && i + 1 < pattern.length();
            char letter = flagged ? pattern.charAt(++i) : flag;
            String field = field(letter, time);
            if (field == null) {
                result.append('%').append(flagged ? "" + flag : "").append(letter);
            } else {
                result.append(flagged ? flagged(field, flag) : field);
            }
        }
        return result.toString();
    }

    private static String flagged(String field, char flag) {
        return switch (flag) {
            case '-' -> field.replaceFirst("^[0 ]+(?=.)", "");
            case '_' -> " ".repeat(field.length() - field.replaceFirst("^0+(?=.)", "").length())
                    + field.replaceFirst("^0+(?=.)", "");
            case '^' -> Text.upper(field);
            case '#' -> field.equals("AM") || field.equals("PM") ? Text.lower(field) : Text.upper(field);
            default -> field.replace(' ', '0');
        };
    }

    private static String field(char letter, ZonedDateTime t) {
        int day = t.getDayOfWeek().getValue();
        return switch (letter) {
            case 'Y' -> Integer.toString(t.getYear());
            case 'y' -> digits(t.getYear() % 100, 2);
            case 'C' -> digits(t.getYear() / 100, 2);
            case 'm' -> digits(t.getMonthValue(), 2);
            case 'd' -> digits(t.getDayOfMonth(), 2);
            case 'e' -> "%2d".formatted(t.getDayOfMonth());
            case 'H' -> digits(t.getHour(), 2);
            case 'k' -> "%2d".formatted(t.getHour());
            case 'I' -> digits((t.getHour() + 11) % 12 + 1, 2);
            case 'l' -> "%2d".formatted((t.getHour() + 11) % 12 + 1);
            case 'M' -> digits(t.getMinute(), 2);
            case 'S' -> digits(t.getSecond(), 2);
            case 'f' -> digits(t.getNano() / 1000, 6);
            case 'j' -> digits(t.getDayOfYear(), 3);
            case 'p' -> t.getHour() < 12 ? "AM" : "PM";
            case 'P' -> t.getHour() < 12 ? "am" : "pm";
            case 'B' -> monthName(t);
            case 'b', 'h' -> monthName(t).substring(0, 3);
            case 'A' -> dayName(t.getDayOfWeek());
            case 'a' -> dayName(t.getDayOfWeek()).substring(0, 3);
            case 'u' -> Integer.toString(day);
            case 'w' -> Integer.toString(day % 7);
            case 'U' -> digits((t.getDayOfYear() + 6 - day % 7) / 7, 2);
            case 'W' -> digits((t.getDayOfYear() + 7 - day) / 7, 2);
            case 'V' -> digits(t.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR), 2);
            case 'G' -> Integer.toString(t.get(IsoFields.WEEK_BASED_YEAR));
            case 'g' -> digits(t.get(IsoFields.WEEK_BASED_YEAR) % 100, 2);
            case 's' -> Long.toString(t.getLong(ChronoField.INSTANT_SECONDS));
            case 'z', 'Z' -> "";
            case 'n' -> "\n";
            case 't' -> "\t";
            case '%' -> "%";
            case 'D', 'x' -> format("%m/%d/%y", t);
            case 'F' -> format("%Y-%m-%d", t);
            case 'T', 'X' -> format("%H:%M:%S", t);
            case 'R' -> format("%H:%M", t);
            case 'r' -> format("%I:%M:%S %p", t);
            case 'c' -> format("%a %b %e %H:%M:%S %Y", t);
            default -> null;
        };
    }

    private static String digits(int value, int width) {
        String digits = Integer.toString(value);
        return "0".repeat(Math.max(0, width - digits.length())) + digits;
    }

    private static String monthName(ZonedDateTime time) {
        return Text.capitalize(time.getMonth().name());
    }

    private static String dayName(DayOfWeek day) {
        return Text.capitalize(day.name());
    }
}
