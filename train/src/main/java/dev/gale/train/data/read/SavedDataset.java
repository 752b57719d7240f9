package dev.gale.train.data.read;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A folder that `save_to_disk` of Hugging Face's datasets wrote: a split's Arrow files, named in state.json, or a folder for
/// each split, named in dataset_dict.json.
final class SavedDataset {
    private static final String SPLITS = "dataset_dict.json";
    private static final String STATE = "state.json";

    private SavedDataset() {}

    static boolean isOne(Path folder) {
        return Files.isRegularFile(folder.resolve(SPLITS))
                || Files.isRegularFile(folder.resolve(STATE)) && Files.isRegularFile(folder.resolve("dataset_info.json"));
    }

    /// Files by split; a dataset that was saved without splits is `train`.
    ///
    /// @param name a configuration, which such a folder has not
    ///
    /// Throws InputException when a file that it names is missing.
    static Map<String, List<Path>> splits(Path folder, Optional<String> name) {
        if (name.isPresent()) {
            throw new InputException("%s was written by save_to_disk and has no configurations; leave dataset.name out"
                    .formatted(folder));
        }
        if (!Files.isRegularFile(folder.resolve(SPLITS))) return Map.of("train", files(folder));
        Map<String, List<Path>> splits = new LinkedHashMap<>();
        for (String split : texts(read(folder.resolve(SPLITS)).path("splits"), folder.resolve(SPLITS))) {
            splits.put(split, files(folder.resolve(split)));
        }
        return splits;
    }

    private static List<Path> files(Path folder) {
        Path state = folder.resolve(STATE);
        List<Path> files = new ArrayList<>();
        for (JsonNode entry : read(state).path("_data_files")) {
            Path file = folder.resolve(text(entry.path("filename"), state));
            if (!Files.isRegularFile(file)) throw new InputException(
                    "%s names %s, which is not there; copy it there or save again"
                    .formatted(state, file.getFileName()));
            files.add(file);
        }
        if (files.isEmpty()) throw new InputException("%s names no files of rows; save the dataset again".formatted(state));
        return files;
    }

    private static List<String> texts(JsonNode list, Path file) {
        List<String> texts = new ArrayList<>();
        for (JsonNode entry : list) texts.add(text(entry, file));
        return texts;
    }

    /// A name in the folder itself.
    private static String text(JsonNode name, Path file) {
        String text = name.asText();
        if (!text.isEmpty() && !text.equals("..") && !text.contains("/") && !text.contains("\\")) return text;
        throw new InputException("%s is not as save_to_disk writes it ('%s' is no name); save the dataset again"
                .formatted(file, text));
    }

    private static JsonNode read(Path file) {
        try {
            return JsonText.MAPPER.readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            throw new InputException("%s is not JSON (%s); save the dataset again".formatted(file, JsonText.problem(e)), e);
        } catch (IOException e) {
            throw new InputException("%s cannot be read (%s); save the dataset again".formatted(file, e.getMessage()), e);
        }
    }
}
