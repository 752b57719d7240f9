package dev.gale.train.data.read;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import dev.gale.nn.JsonProblem;
import dev.gale.tensor.InputException;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What the YAML at the head of a dataset's README.md says about its files.
final class DatasetCard {
    private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());
    private static final int MOST_CHARACTERS = 1 << 20;

    private DatasetCard() {}

    /// The files of a configuration; empty when the card names none.
    ///
    /// @param name the configuration, or the card's default
    ///
    /// Throws InputException when there is no such configuration, or several and none is the default.
    static Optional<DataFiles> files(Path folder, Optional<String> name) {
        Path readme = folder.resolve("README.md");
        Map<String, Map<?, ?>> configs = Files.isRegularFile(readme) ? configs(readme) : Map.of();
        if (configs.isEmpty()) {
            name.filter(given -> !given.equals("default")).ifPresent(given -> {
                throw new InputException("%s describes no configurations in the head of a README.md; leave dataset.name out"
                        .formatted(folder));
            });
            return Optional.empty();
        }
        String chosen = name.orElseGet(() -> defaultName(configs, readme));
        Map<?, ?> config = configs.get(chosen);
        if (config == null) throw InputException.unknown("dataset.name", chosen, configs.keySet());
        String place = "%s, configuration %s: data_files".formatted(readme, chosen);
        String prefix = config.get("data_dir") == null ? "" : config.get("data_dir") + "/";
        if (config.get("data_files") == null) {
            return prefix.isEmpty() ? Optional.empty() : Optional.of(DataFiles.of(prefix + "**", place));
        }
        Map<String, List<String>> patterns = new LinkedHashMap<>();
        DataFiles.of(config.get("data_files"), place).patterns()
                .forEach((split, files) -> patterns.put(split, files.stream().map(file -> prefix + file).toList()));
        return Optional.of(new DataFiles(patterns));
    }

    private static String defaultName(Map<String, Map<?, ?>> configs, Path readme) {
        if (configs.size() == 1) return configs.keySet().iterator().next();
        return configs.keySet().stream()
                .filter(name -> name.equals("default") || Boolean.TRUE.equals(configs.get(name).get("default"))).findFirst()
                .orElseThrow(() -> new InputException("%s describes several configurations: set dataset.name to one of %s"
                        .formatted(readme, String.join(", ", configs.keySet()))));
    }

    private static Map<String, Map<?, ?>> configs(Path readme) {
        try {
            String head = head(readme);
            Object top = head.isBlank() ? null : YAML.readValue(head, Object.class);
            Map<String, Map<?, ?>> configs = new LinkedHashMap<>();
            if (top instanceof Map<?, ?> map && map.get("configs") instanceof List<?> list) {
                for (Object entry : list) {
                    if (!(entry instanceof Map<?, ?> config) || config.get("config_name") == null) {
                        throw new InputException("%s: every entry of configs needs a config_name; correct its head"
                                .formatted(readme));
                    }
                    configs.put(String.valueOf(config.get("config_name")), config);
                }
            }
            return configs;
        } catch (JsonProcessingException e) {
            throw new InputException("the head of %s is not YAML (%s); correct it".formatted(readme, JsonProblem.of(e)), e);
        } catch (IOException e) {
            throw new InputException("%s cannot be read (%s)".formatted(readme, e.getMessage()), e);
        }
    }

    /// What stands between the first line, `---`, and the next such line.
    private static String head(Path readme) throws IOException {
        StringBuilder head = new StringBuilder();
        try (BufferedReader reader = Files.newBufferedReader(readme)) {
            String first = reader.readLine();
            if (first == null || !first.strip().replace("\uFEFF", "").equals("---")) return "";
            for (String line = reader.readLine(); line != null && head.length() < MOST_CHARACTERS; line = reader.readLine()) {
                if (line.strip().equals("---")) return head.toString();
                head.append(line).append('\n');
            }
        }
        return "";
    }
}
