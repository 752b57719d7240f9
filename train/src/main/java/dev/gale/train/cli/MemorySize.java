package dev.gale.train.cli;

import dev.gale.tensor.InputException;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;

/// Bytes as people write them: `24GB`, `80 GiB`, `512MB`.
public final class MemorySize implements ITypeConverter<Long> {
    private static final Pattern SIZE = Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*([KMGT]i?B)", Pattern.CASE_INSENSITIVE);
    private static final Map<Character, Integer> POWERS = Map.of('K', 1, 'M', 2, 'G', 3, 'T', 4);

    @Override
    public Long convert(String text) {
        Matcher size = SIZE.matcher(text.strip());
        if (!size.matches()) {
            throw new InputException("a size of memory is a number and a unit such as 24GB or 80GiB, found '%s'"
                    .formatted(text));
        }
        String unit = size.group(2).toUpperCase(Locale.ROOT);
        double factor = Math.pow(unit.length() == 3 ? 1024 : 1000, POWERS.get(unit.charAt(0)));
        long bytes = (long) (Double.parseDouble(size.group(1)) * factor);
        if (bytes < 1) throw new InputException("a size of memory must be above 0, found '%s'".formatted(text));
        return bytes;
    }
}
