package dev.gale.train.cli;

import static dev.gale.train.cli.CommandRun.fixture;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.train.demo.Demo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;

/// A folder with what commands need, all of it right, and ways to make something wrong: `model`, `adapter`,
/// `data.jsonl`,
/// `run.yaml`, and `held` with the result of earlier work.
record Workplace(Path root) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String WEIGHTS = "model/model.safetensors";

    static Workplace at(Path root) throws IOException {
        Workplace place = new Workplace(root);
        place.copy(fixture("llama"), "model", "config.json", "model.safetensors");
        place.copy(fixture("llama"), "held", "config.json", "model.safetensors");
        place.copy(fixture("llama/lora"), "adapter", "adapter_config.json", "adapter_model.safetensors");
        Demo.writeTokenizer(place.path("model"), 20, 1, 300);
        place.write("data.jsonl", "{\"prompt\": \"Once\", \"completion\": \" upon a time\"}\n");
        place.write("run.yaml", """
                model_name_or_path: %1$s/model
                output_dir: %1$s/out
                max_steps: 1
                lora:
                  r: 2
                dataset:
                  path: %1$s/data.jsonl
                """.formatted(root));
        return place;
    }

    private void copy(Path from, String to, String... names) throws IOException {
        Files.createDirectories(path(to));
        for (String name : names) Files.write(path(to + "/" + name), Files.readAllBytes(from.resolve(name)));
    }

    Path path(String name) {
        return root.resolve(name);
    }

    void write(String name, String text) throws IOException {
        Files.createDirectories(path(name).getParent());
        Files.writeString(path(name), text);
    }

    void append(String name, String text) throws IOException {
        write(name, Files.readString(path(name)) + text);
    }

    void delete(String name) throws IOException {
        Files.delete(path(name));
    }

    /// Gives a field of `config.json` another value, or with null none.
    void config(String field, Object value) throws IOException {
        ObjectNode config = (ObjectNode) JSON.readTree(path("model/config.json").toFile());
        if (value == null) config.remove(field);
        else config.set(field, JSON.valueToTree(value));
        write("model/config.json", config.toString());
    }

    void truncateWeights(int bytes) throws IOException {
        Files.write(path(WEIGHTS), Arrays.copyOf(Files.readAllBytes(path(WEIGHTS)), bytes));
    }

    void claimHeader(long bytes) throws IOException {
        ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(path(WEIGHTS))).order(ByteOrder.LITTLE_ENDIAN);
        Files.write(path(WEIGHTS), file.putLong(0, bytes).array());
    }

    /// Changes a tensor in the header of the weights.
    void tensor(String name, Consumer<ObjectNode> change) throws IOException {
        header(WEIGHTS, header -> change.accept((ObjectNode) header.get(name)));
    }

    /// Changes the header of a safetensors file and leaves its data.
    void header(String name, Consumer<ObjectNode> change) throws IOException {
        ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(path(name))).order(ByteOrder.LITTLE_ENDIAN);
        int length = (int) file.getLong();
        ObjectNode header = (ObjectNode) JSON.readTree(new String(file.array(), 8, length, StandardCharsets.UTF_8));
        change.accept(header);
        byte[] text = header.toString().getBytes(StandardCharsets.UTF_8);
        int data = file.capacity() - 8 - length;
        Files.write(path(name), ByteBuffer.allocate(8 + text.length + data).order(ByteOrder.LITTLE_ENDIAN)
                .putLong(text.length).put(text).put(file.array(), 8 + length, data).array());
    }

    static JsonNode numbers(long... values) {
        return JSON.valueToTree(values);
    }

    List<Object> generate(Object... more) {
        return args(new Object[] {"generate", "--model", path("model"), "--max-new-tokens", 1, "--temperature", 0},
                more);
    }

    List<Object> prompt(Object... more) {
        return args(generate("--prompt", "a").toArray(), more);
    }

    List<Object> train(Object... more) {
        return args(new Object[] {"train", path("run.yaml")}, more);
    }

    List<Object> set(String override) {
        return train("--set", override);
    }

    List<Object> merge(Object output) {
        return List.of("merge", "--model", path("model"), "--adapter", path("adapter"), "--output", output);
    }

    private static List<Object> args(Object[] first, Object[] more) {
        return Stream.concat(Arrays.stream(first), Arrays.stream(more)).toList();
    }

    /// Every file under the folder and a digest of its bytes.
    Map<Path, Integer> files() throws IOException {
        Map<Path, Integer> files = new TreeMap<>();
        try (Stream<Path> all = Files.walk(root)) {
            for (Path file : all.filter(Files::isRegularFile).toList()) {
                files.put(file, Arrays.hashCode(Files.readAllBytes(file)));
            }
        }
        return files;
    }
}
