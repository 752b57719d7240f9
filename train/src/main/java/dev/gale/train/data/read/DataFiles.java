package dev.gale.train.data.read;

import dev.gale.tensor.InputException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Files of a dataset by split, named by patterns in which `*` stands for a part of a name and `**` for folders too.
/// Written as Hugging Face's `datasets` takes them: a pattern, a list of them (both are the split `train`), a map from
/// split to those, or a list of `{split, path}`.
///
/// @param patterns patterns by split; empty when nobody chose
public record DataFiles(Map<String, List<String>> patterns) {
    public static final DataFiles NONE = new DataFiles(Map.of());
    private static final String EXPECTED = "%s must be a file, a list of files, or files by split such as {train: "
            + "a.jsonl, test: b.jsonl}";

    /// @param place where it stands, for the message
    ///
    /// Throws InputException when it is written in no such way.
    public static DataFiles of(Object written, String place) {
        Map<String, List<String>> patterns = new LinkedHashMap<>();
        if (written instanceof Map<?, ?> map) {
            map.forEach((split, files) -> patterns.put(String.valueOf(split), names(files, place)));
        } else if (written instanceof List<?> list && list.stream().anyMatch(Map.class::isInstance)) {
            for (Object entry : list) {
                if (!(entry instanceof Map<?, ?> map) || map.get("split") == null) {
                    throw new InputException(EXPECTED.formatted(place));
                }
                if (patterns.put(String.valueOf(map.get("split")), names(map.get("path"), place)) != null) {
                    throw new InputException("%s has the split '%s' twice; put its files into one list"
                            .formatted(place, map.get("split")));
                }
            }
        } else {
            patterns.put("train", names(written, place));
        }
        return new DataFiles(patterns);
    }

    private static List<String> names(Object written, String place) {
        List<String> names = new ArrayList<>();
        for (Object name : written instanceof List<?> list ? list : List.of(written == null ? "" : written)) {
            if (!(name instanceof String text) || text.isBlank()) throw new InputException(EXPECTED.formatted(place));
            names.add(text);
        }
        if (names.isEmpty()) throw new InputException(EXPECTED.formatted(place));
        return names;
    }
}
