package dev.gale.nn.safetensors;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.JsonProblem;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/// The weights of a model folder: `model.safetensors`, or the shards that `model.safetensors.index.json` names, all
/// opened and checked.
public final class WeightFiles implements AutoCloseable {
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";

    private final Path dir;
    private final Map<Path, Safetensors> files = new LinkedHashMap<>();
    private final Map<String, Place> byTensor = new LinkedHashMap<>();
    private final Map<String, String> states = new HashMap<>();        // types of `quant_state` by weight
    private final UnaryOperator<String> names;

    /// Where a tensor is.
    private record Place(Safetensors file, String name) {
        Shape shape() {
            return file.shape(name);
        }
    }

    private WeightFiles(Path dir, UnaryOperator<String> names) {
        this.dir = dir;
        this.names = names;
    }

    /// Opens every weight file of a folder.
    /// Throws: InputException when one is missing or broken, or a shard lacks a tensor that the index promises.
    public static WeightFiles open(Path dir) {
        return open(dir, UnaryOperator.identity());
    }

    /// @param names by which a tensor is asked for here, of its name in the files
    public static WeightFiles open(Path dir, UnaryOperator<String> names) {
        WeightFiles weights = new WeightFiles(dir, names);
        try {
            if (Files.exists(dir.resolve(SINGLE))) {
                Safetensors file = weights.file(dir.resolve(SINGLE));
                for (String name : file.names()) weights.put(name, file);
            } else if (Files.exists(dir.resolve(INDEX))) {
                weights.openShards(dir.resolve(INDEX));
            } else {
                throw new InputException("%s has neither %s nor %s; give a model folder with safetensors weights"
                        .formatted(dir, SINGLE, INDEX));
            }
            return weights;
        } catch (RuntimeException e) {
            weights.close();
            throw e;
        }
    }

    private void openShards(Path index) {
        JsonNode map = readIndex(index).path("weight_map");
        if (!map.isObject() || map.isEmpty()) {
            throw new InputException(index + " has no weight_map; download it again");
        }
        for (Map.Entry<String, JsonNode> field : map.properties()) {
            if (!field.getValue().isTextual()) {
                throw new InputException("%s names no file for tensor %s, but %s; download it again"
                        .formatted(index, field.getKey(), field.getValue()));
            }
            Path shard = dir.resolve(field.getValue().asText());
            if (!dir.toAbsolutePath().normalize().equals(shard.toAbsolutePath().normalize().getParent())) {
                throw new InputException("%s puts tensor %s into %s, which is outside its folder; download it again"
                        .formatted(index, field.getKey(), field.getValue()));
            }
            if (!files.containsKey(shard) && !Files.exists(shard)) {
                throw new InputException("%s is missing, although %s puts tensor %s into it; download it again"
                        .formatted(shard, index.getFileName(), field.getKey()));
            }
            Safetensors file = file(shard);
            if (!file.has(field.getKey())) {
                throw new InputException("%s lacks tensor %s, although %s puts it there; download both again"
                        .formatted(shard, field.getKey(), index.getFileName()));
            }
            put(field.getKey(), file);
        }
    }

    private void put(String stored, Safetensors file) {
        String name = names.apply(stored);
        byTensor.put(name, new Place(file, stored));
        int state = name.indexOf(QuantizedTensors.STATE);
        if (state < 0) return;
        states.putIfAbsent(name.substring(0, state), name.substring(state + QuantizedTensors.STATE.length()));
    }

    private static JsonNode readIndex(Path index) {
        try {
            return new ObjectMapper().readTree(index.toFile());
        } catch (JsonProcessingException e) {
            throw new InputException("%s is not JSON (%s); download it again".formatted(index, JsonProblem.where(e)),
                    e);
        } catch (IOException e) {
            throw new InputException("%s cannot be read (%s); check its permissions".formatted(index, e.getMessage()),
                    e);
        }
    }

    private Safetensors file(Path path) {
        Safetensors known = files.get(path);
        if (known != null) return known;
        Safetensors opened = Safetensors.open(path);
        files.put(path, opened);
        return opened;
    }

    /// Names of all tensors.
    public Set<String> names() {
        return Collections.unmodifiableSet(byTensor.keySet());
    }

    /// The file that holds a tensor.
    public Path file(String name) {
        return byTensor.get(name).file().file();
    }

    public boolean has(String name) {
        return byTensor.containsKey(name);
    }

    /// The type that the name of the `quant_state` beside a weight says, empty when there is none.
    Optional<String> state(String name) {
        return Optional.ofNullable(states.get(name));
    }

    /// A window into a mapped file, valid until `close`.
    /// Throws: InputException naming the file when the tensor is missing or has another shape.
    public Tensor tensor(String name, Shape expected) {
        Place place = byTensor.get(name);
        String remedy = "use the config.json that belongs to these weights";
        if (place == null) {
            throw new InputException("%s lacks tensor %s of shape %s, which config.json asks for; %s"
                    .formatted(place(), name, expected, remedy));
        }
        if (!place.shape().equals(expected)) {
            throw new InputException("%s: tensor %s has shape %s, but config.json asks for %s; %s"
                    .formatted(file(name), place.name(), place.shape(), expected, remedy));
        }
        return tensor(name);
    }

    /// As above, a tensor that is there, of whatever shape.
    public Tensor tensor(String name) {
        Place place = byTensor.get(name);
        return place.file().tensor(place.name());
    }

    /// A tensor as its file has it.
    ///
    /// @param bytes a window into the mapped file, valid until `close`
    record Stored(FileDType dtype, Shape shape, MemorySegment bytes) {}

    /// Throws: InputException when there is no such tensor.
    Stored stored(String name) {
        Place place = byTensor.get(name);
        if (place == null) throw new InputException("%s lacks tensor %s; download it again".formatted(place(), name));
        return new Stored(place.file().dtype(place.name()), place.shape(), place.file().bytes(place.name()));
    }

    /// Whether a tensor has that shape and a dtype that is computed with, rather than codes of few bits.
    public boolean isDense(String name, Shape shape) {
        Stored stored = stored(name);
        return stored.shape().equals(shape) && stored.dtype().inMemory().isPresent();
    }

    /// The file that holds a tensor, else that of the weights, or the folder of many.
    Path place(String name) {
        return has(name) ? file(name) : place();
    }

    private Path place() {
        return files.size() == 1 ? files.keySet().iterator().next() : dir;
    }

    @Override
    public void close() {
        files.values().forEach(Safetensors::close);
        files.clear();
    }
}
