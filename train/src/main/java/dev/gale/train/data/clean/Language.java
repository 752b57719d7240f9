package dev.gale.train.data.clean;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import opennlp.tools.langdetect.LanguageDetectorME;
import opennlp.tools.langdetect.LanguageDetectorModel;

/// Which of 103 languages a text is in, by the character n-grams of Apache OpenNLP's model. Languages have the codes of ISO
/// 639-1, or of ISO 639-3 where there is none. May be used from several threads.
public final class Language {
    /// The answer for texts too short to tell.
    public static final String UNKNOWN = "?";

    private static final String MODEL = "/langdetect-183.bin";
    private static final int FEWEST_LETTERS = 24;
    private static final int MOST_CHARS = 600;
    /// Members of a macrolanguage that people name by it.
    private static final Map<String, String> USUAL = Map.of("cmn", "zh", "ekk", "et", "lvs", "lv", "pes", "fa", "nob", "no",
            "nno", "nn", "swe", "sv", "azj", "az");

    private static final class Loaded {
        private static final LanguageDetectorME DETECTOR = load();
        private static final Map<String, String> SHORT = shortCodes();

        private static LanguageDetectorME load() {
            try (InputStream in = LanguageDetectorME.class.getResourceAsStream(MODEL)) {
                if (in == null) throw new IllegalStateException("opennlp-models-langdetect is not on the class path");
                return new LanguageDetectorME(new LanguageDetectorModel(in));
            } catch (IOException e) {
                throw new IllegalStateException("the language model is broken: " + e.getMessage(), e);
            }
        }

        private static Map<String, String> shortCodes() {
            Map<String, String> codes = new HashMap<>();
            for (String two : Locale.getISOLanguages()) codes.put(Locale.of(two).getISO3Language(), two);
            codes.putAll(USUAL);
            return codes;
        }
    }

    private Language() {}

    /// Code of the likeliest language, `UNKNOWN` when the text has fewer than 24 letters.
    public static String of(String text) {
        String begin = text.length() <= MOST_CHARS ? text : text.substring(0, MOST_CHARS);
        long letters = begin.codePoints().filter(Character::isLetter).limit(FEWEST_LETTERS).count();
        if (letters < FEWEST_LETTERS && begin.codePoints().noneMatch(Character::isIdeographic)) return UNKNOWN;
        String code = Loaded.DETECTOR.predictLanguage(begin).getLang();
        return Loaded.SHORT.getOrDefault(code, code);
    }

    /// The languages it tells apart.
    static Set<String> known() {
        Set<String> known = new TreeSet<>();
        Arrays.stream(Loaded.DETECTOR.getSupportedLanguages())
                .forEach(code -> known.add(Loaded.SHORT.getOrDefault(code, code)));
        return known;
    }

    /// Throws InputException when one of the codes is none of the languages that can be told apart.
    static void requireKnown(Set<String> codes) {
        Set<String> known = known();
        for (String code : codes) {
            if (!known.contains(code)) throw InputException.unknown("language", code, known);
        }
    }
}
