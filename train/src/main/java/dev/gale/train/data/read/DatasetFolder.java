package dev.gale.train.data.read;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// The files of a folder by split: as the caller or the folder's README.md says, else as their names tell.
///
/// Source of the names: Hugging Face datasets, `data_files.py`: `data/<split>-00000-of-00001.*`; folders, then files, with
/// a word for a split in their names; else all files are `train`.
final class DatasetFolder {
    private static final Pattern SHARD = Pattern.compile("data/(\\w+(?:\\.\\w+)*)-\\d{5}-of-\\d{5}[^/]*\\.[^/]*");
    private static final Map<String, List<String>> WORDS = words();
    private static final String SEPARATOR = "[-._ 0-9]";
    private static final List<String> IN_FOLDER_NAME = List.of("**/%1$s/**", "**/%1$s%2$s*/**", "**/*%2$s%1$s/**",
            "**/*%2$s%1$s%2$s*/**");
    private static final List<String> IN_FILE_NAME = List.of("**/%1$s%2$s*", "**/*%2$s%1$s%2$s*");
    static final Set<String> NO_DATA = Set.of("README.md", "config.json", "dataset_info.json", "dataset_infos.json",
            "dummy_data.zip", "dataset_dict.json", "state.json");

    private final Path folder;
    private final List<String> files;

    private DatasetFolder(Path folder) {
        this.folder = folder;
        try (Stream<Path> all = Files.walk(folder)) {
            files = all.filter(Files::isRegularFile).map(file -> folder.relativize(file).toString().replace('\\', '/'))
                    .sorted().toList();
        } catch (IOException | UncheckedIOException e) {
            throw new InputException("%s cannot be read (%s)".formatted(folder, e.getMessage()), e);
        }
    }

    private static Map<String, List<String>> words() {
        Map<String, List<String>> words = new LinkedHashMap<>();
        words.put("train", List.of("train", "training"));
        words.put("validation", List.of("validation", "valid", "dev", "val"));
        words.put("test", List.of("test", "testing", "eval", "evaluation"));
        return words;
    }

    /// Files by split.
    ///
    /// Throws InputException when there are none, or a pattern has none.
    static Map<String, List<Path>> splits(Path path, Optional<String> name, DataFiles given) {
        if (given.patterns().isEmpty() && SavedDataset.isOne(path)) return SavedDataset.splits(path, name);
        DatasetFolder folder = new DatasetFolder(path);
        DataFiles chosen = given.patterns().isEmpty() ? DatasetCard.files(path, name).orElse(DataFiles.NONE) : given;
        return chosen.patterns().isEmpty() ? folder.byName() : folder.byPattern(chosen);
    }

    private Map<String, List<Path>> byPattern(DataFiles chosen) {
        Map<String, List<Path>> splits = new LinkedHashMap<>();
        chosen.patterns().forEach((split, patterns) -> {
            List<Path> found = new ArrayList<>();
            for (String pattern : patterns) {
                List<Path> matching = matching(pattern).stream().filter(file -> !NO_DATA.contains(file))
                        .map(folder::resolve).toList();
                if (matching.isEmpty()) {
                    throw new InputException(("%s has no file '%s', which its split '%s' is made of; correct data_files or "
                            + "download it")
                            .formatted(folder, pattern, split));
                }
                found.addAll(matching);
            }
            splits.put(split, found.stream().distinct().toList());
        });
        return splits;
    }

    private List<String> matching(String pattern) {
        FilePattern compiled = new FilePattern(pattern);
        return files.stream().filter(compiled::matches).toList();
    }

    private Map<String, List<Path>> byName() {
        List<String> data = ofOneKind(matching("**").stream()
                .filter(file -> !NO_DATA.contains(name(file)) && isData(file)).toList());
        if (data.isEmpty()) {
            throw new InputException(folder + " has no JSON, JSONL, CSV, Parquet, Arrow or text file");
        }
        Map<String, List<String>> splits = sharded(data);
        if (splits.isEmpty()) splits = byWord(data, IN_FOLDER_NAME);
        if (splits.isEmpty()) splits = byWord(data, IN_FILE_NAME);
        if (splits.isEmpty()) splits.put("train", data);
        Map<String, List<Path>> paths = new LinkedHashMap<>();
        splits.forEach((split, names) -> paths.put(split, names.stream().map(folder::resolve).toList()));
        return paths;
    }

    private static String name(String file) {
        return file.substring(file.lastIndexOf('/') + 1);
    }

    private static boolean isData(String file) {
        return DataFile.hasRows(file) || file.endsWith(".zip");
    }

    /// Of several kinds of files, that of which there are the most: a licence beside the data is no data.
    private static List<String> ofOneKind(List<String> files) {
        Map<DataFile.Kind, List<String>> kinds = new EnumMap<>(DataFile.Kind.class);
        for (String file : files) {
            kinds.computeIfAbsent(DataFile.Kind.of(file), k -> new ArrayList<>()).add(file);
        }
        List<String> most = List.of();
        for (List<String> kind : kinds.values()) {
            if (kind.size() > most.size()) most = kind;
        }
        return most;
    }

    private static Map<String, List<String>> sharded(List<String> data) {
        Map<String, List<String>> splits = new TreeMap<>();
        for (String file : data) {
            Matcher shard = SHARD.matcher(file);
            if (shard.matches()) splits.computeIfAbsent(shard.group(1), s -> new ArrayList<>()).add(file);
        }
        return splits;
    }

    private static Map<String, List<String>> byWord(List<String> data, List<String> places) {
        Map<String, List<String>> splits = new LinkedHashMap<>();
        WORDS.forEach((split, words) -> {
            List<FilePattern> patterns = words.stream().flatMap(word -> places.stream()
                    .map(place -> new FilePattern(place.formatted(word, SEPARATOR)))).toList();
            List<String> found = data.stream()
                    .filter(file -> patterns.stream().anyMatch(pattern -> pattern.matches(file))).toList();
            if (!found.isEmpty()) splits.put(split, found);
        });
        return splits;
    }
}
