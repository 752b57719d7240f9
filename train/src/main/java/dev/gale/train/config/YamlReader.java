package dev.gale.train.config;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import dev.gale.tensor.InputException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reads YAML into `ConfigValue`s. Keys that are given twice are refused, and so are aliases, of which a configuration
/// has no need. Words like `no` and `on` stay words.
final class YamlReader {
    private static final YAMLFactory YAML = YAMLFactory.builder()
            .enable(YAMLParser.Feature.PARSE_BOOLEAN_LIKE_WORDS_AS_STRINGS).build();

    private static final Pattern PROBLEM = Pattern.compile("(?m)^(\\S.*)\\R in .*, line (\\d+), column \\d+:");

    private final YAMLParser parser;
    private final String source;
    private final boolean hasLines;

    private YamlReader(YAMLParser parser, String source, boolean hasLines) {
        this.parser = parser;
        this.source = source;
        this.hasLines = hasLines;
    }

    /// A file's sections and keys; empty when it holds nothing.
    /// Throws: InputException when it is no YAML or its top is not a section.
    static Map<String, ConfigValue> read(String text, String file) {
        ConfigValue top = parse(text, file, true);
        if (top.value() == null) return new LinkedHashMap<>();
        if (!(top.value() instanceof Map)) throw new InputException(file + " must hold lines of the form 'key: value'");
        return top.section("");
    }

    /// A single value as it would stand behind a key: a word, a number, `[a, b]`.
    static ConfigValue value(String text, String place) {
        return parse(text, place, false);
    }

    private static ConfigValue parse(String text, String source, boolean hasLines) {
        try (YAMLParser parser = YAML.createParser(text)) {
            YamlReader reader = new YamlReader(parser, source, hasLines);
            JsonToken first = parser.nextToken();
            ConfigValue top = first == null ? new ConfigValue(null, source) : reader.value(first);
            if (first != null && parser.nextToken() != null) {
                throw new InputException(reader.place() + ": a second document begins; keep one only");
            }
            return top;
        } catch (JsonProcessingException e) {
            throw notYaml(e, source, hasLines);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The parser says what it was doing, where that began, what it found and where; the last two help.
    private static InputException notYaml(JsonProcessingException e, String source, boolean hasLines) {
        String problem = e.getOriginalMessage().strip().lines().findFirst().orElse("");
        String line = e.getLocation() == null ? "" : ", line " + e.getLocation().getLineNr();
        Matcher found = PROBLEM.matcher(e.getOriginalMessage());
        while (found.find()) {
            problem = found.group(1);
            line = ", line " + found.group(2);
        }
        return new InputException("%s%s: this is not YAML (%s); correct it"
                .formatted(source, hasLines ? line : "", problem), e);
    }

    private ConfigValue value(JsonToken token) throws IOException {
        String place = place();
        if (parser.isCurrentAlias()) {
            throw new InputException(place + ": aliases of YAML are not supported; write the value out");
        }
        return new ConfigValue(switch (token) {
            case START_OBJECT -> section();
            case START_ARRAY -> list();
            case VALUE_TRUE, VALUE_FALSE -> parser.getBooleanValue();
            case VALUE_NULL -> null;
            case VALUE_NUMBER_INT -> whole();
            case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
            default -> parser.getText().isEmpty() ? null : parser.getText();
        }, place);
    }

    private Object whole() throws IOException {
        return switch (parser.getNumberType()) {
            case INT, LONG -> parser.getLongValue();
            default -> parser.getDoubleValue();
        };
    }

    private Map<String, ConfigValue> section() throws IOException {
        Map<String, ConfigValue> section = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String key = parser.currentName();
            String place = place();
            ConfigValue earlier = section.put(key, new ConfigValue(value(parser.nextToken()).value(), place));
            if (earlier != null) {
                throw new InputException("%s: key '%s' is given twice, first in %s"
                        .formatted(place, key, earlier.place()));
            }
        }
        return section;
    }

    private List<ConfigValue> list() throws IOException {
        List<ConfigValue> list = new ArrayList<>();
        for (JsonToken token = parser.nextToken(); token != JsonToken.END_ARRAY; token = parser.nextToken()) {
            list.add(value(token));
        }
        return list;
    }

    private String place() {
        return hasLines ? source + ", line " + parser.currentTokenLocation().getLineNr() : source;
    }
}
