package dev.gale.train.data.clean;

import java.util.EnumMap;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Personal data and secrets that a text may hold, found by their form; names and addresses of people have none and are not
/// found. In a masked text `<EMAIL>` and its like stand in their place.
public enum PersonalData {
    /// Keys and tokens of well-known services, private keys, and what stands behind words such as `api_key=`.
    KEY("\\b(?:AKIA|ASIA)[A-Z0-9]{16}\\b|\\bgh[pousr]_[A-Za-z0-9]{36,}|\\bgithub_pat_\\w{40,}|\\bhf_[A-Za-z0-9]{30,}"
            + "|\\bsk-(?:[a-z]+-)*[\\w-]{20,}|\\bxox[abprs]-[\\w-]{10,}|\\bAIza[\\w-]{35}"
            + "|\\bglpat-[\\w-]{20}|\\bnpm_[A-Za-z0-9]{36}"
            + "|\\beyJ[\\w-]{8,}\\.eyJ[\\w-]{8,}\\.[\\w-]{8,}"
            + "|-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[\\s\\S]{0,8000}?-----END [A-Z ]{0,20}PRIVATE KEY-----"
            + "|(?i:(?<=\\b(?:api[_-]?key|secret[_-]?key|access[_-]?token|auth[_-]?token"
            + "|client[_-]?secret|password)[\"']?\\s{0,2}[:=]"
            + "\\s{0,2}[\"']?))(?=[^\\s\"']*\\d)[\\w+/=.-]{12,200}",
            text -> true, text -> true),

    /// `name@host.domain`.
    EMAIL("(?<![\\w.+-])[\\w][\\w.%+-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\\.){1,8}[A-Za-z]{2,24}(?![\\w-])",
            text -> text.indexOf('@') >= 0, text -> !text.contains("..")),

    /// Numbers of payment cards: 13 to 19 digits of a known issuer whose check digit is right (Luhn, ISO/IEC 7812-1).
    CARD("(?<![\\w.+-])[2-6](?:[ -]?\\d){12,18}(?![\\w-])", PersonalData::hasDigits, PersonalData::isCard),

    /// IPv4 and IPv6 addresses, apart from those that mean the machine itself or nothing.
    IP("(?<![\\w.:-])(?:(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)\\.){3}(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)(?![\\w-]|\\.\\d)"
            + "|(?<![\\w.:])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![\\w:])"
            + "|(?<![\\w.:])(?=[0-9A-Fa-f:]{6,39}(?![\\w:]))(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}(?![\\w:])",
            PersonalData::hasDigits, PersonalData::isAddress),

    /// Telephone numbers: international with +, North American, or with a leading 0 and groups of digits.
    PHONE("(?<![\\w.+/=-])(?:\\+\\d{8,15}|\\+\\d{1,3}(?:[ .-]?\\(?\\d{1,4}\\)?){2,6}|\\(\\d{3}\\) ?\\d{3}[ .-]\\d{4}"
            + "|(?:1[ .-])?\\d{3}[.-]\\d{3}[.-]\\d{4}|\\(?0\\d{1,4}\\)?(?:[ /-]\\d{2,8}){1,5})(?![\\w-]|\\.\\d)",
            PersonalData::hasDigits, PersonalData::isPhone);

    private final Pattern pattern;
    private final Predicate<String> possible;
    private final Predicate<String> right;

    /// @param possible whether a text can have any, fast
    /// @param right    whether what looks like it is it
    PersonalData(String pattern, Predicate<String> possible, Predicate<String> right) {
        this.pattern = Pattern.compile(pattern);
        this.possible = possible;
        this.right = right;
    }

    /// What is done about it.
    public enum Action { KEEP, MASK, REMOVE }

    /// A text without personal data, and how often there was some of each kind.
    public record Masked(String text, Map<PersonalData, Integer> found) {}

    /// Puts `<KIND>` for all that is found of these kinds.
    public static Masked mask(String text, Iterable<PersonalData> kinds) {
        Map<PersonalData, Integer> found = new EnumMap<>(PersonalData.class);
        String masked = text;
        for (PersonalData kind : kinds) {
            if (!kind.possible.test(masked)) continue;
            int[] count = {0};
            masked = kind.pattern.matcher(masked).replaceAll(match -> {
                if (!kind.right.test(match.group())) return Matcher.quoteReplacement(match.group());
                count[0]++;
                return "<" + kind + ">";
            });
            if (count[0] > 0) found.put(kind, count[0]);
        }
        return new Masked(masked, found);
    }

    private static boolean hasDigits(String text) {
        int digits = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c >= '0' && c <= '9' && ++digits >= 4) return true;
            if (c == ':' && i + 1 < text.length() && text.charAt(i + 1) == ':') return true;
        }
        return false;
    }

    private static boolean isCard(String text) {
        String digits = text.replaceAll("\\D", "");
        boolean issued =
                digits.matches("4\\d{12}(\\d{3}){0,2}|5[1-5]\\d{14}|2[2-7]\\d{14}|3[47]\\d{13}|3[0689]\\d{12}|35\\d{14}"
                + "|6(?:011|4|5|2|0|3|7)\\d{10,17}|50\\d{10,17}|5[6-9]\\d{10,17}");
        int sum = 0;
        for (int i = digits.length() - 1, place = 0; i >= 0; i--, place++) {
            int digit = digits.charAt(i) - '0';
            int doubled = place % 2 == 1 ? 2 * digit : digit;
            sum += doubled > 9 ? doubled - 9 : doubled;
        }
        return issued && sum % 10 == 0;
    }

    private static boolean isAddress(String text) {
        return !text.matches("0\\.0\\.0\\.0|127\\..*|255\\.255\\.255\\.\\d+|[0:]+1?") && !text.matches("\\d\\.\\d\\.\\d\\.\\d");
    }

    private static boolean isPhone(String text) {
        int digits = text.replaceAll("\\D", "").length();
        boolean date = text.matches("0\\d[ /-]\\d{2}[ /-]\\d{2,4}");
        return digits >= 8 && digits <= 15 && !date;
    }
}
