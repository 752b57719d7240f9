package dev.gale.nn.safetensors;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.JsonProblem;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/// The table of contents of a safetensors file: checked, so that every tensor's bytes lie where it says.
///
/// @param entries  tensors in the order of the header
/// @param metadata the header's `__metadata__`
record Header(Map<String, Entry> entries, Map<String, String> metadata) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String REMEDY = "download or write the file again";

    /// Where a tensor lies.
    ///
    /// @param begin first byte, counted from the end of the header
    /// @param end   one past the last byte
    record Entry(String name, FileDType dtype, Shape shape, long begin, long end) {}

    /// Reads the header's JSON and checks it against the number of bytes that follow it.
    /// Throws: InputException naming the file and the first tensor that is wrong.
    static Header parse(Path file, byte[] json, long dataBytes) {
        Map<String, Entry> entries = new LinkedHashMap<>();
        Map<String, String> metadata = new LinkedHashMap<>();
        try (JsonParser parser = JSON.createParser(json)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) throw bad(file, "its header is not a JSON object");
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                parser.nextToken();
                JsonNode value = parser.readValueAsTree();
                if (name.equals("__metadata__")) {
                    value.properties().forEach(field -> metadata.put(field.getKey(), field.getValue().asText()));
                } else if (entries.put(name, entry(file, name, value)) != null) {
                    throw bad(file, "its header names tensor %s twice".formatted(name));
                }
            }
        } catch (JsonProcessingException e) {
            throw bad(file, "its header is not JSON (%s)".formatted(JsonProblem.of(e)));
        } catch (IOException e) {
            throw bad(file, "its header cannot be read (%s)".formatted(e.getMessage()));
        }
        checkLayout(file, entries, dataBytes);
        return new Header(entries, metadata);
    }

    private static Entry entry(Path file, String name, JsonNode value) {
        String dtypeName = value.path("dtype").asText("");
        FileDType dtype = FileDType.named(dtypeName).orElseThrow(() -> new InputException(
                "%s: tensor %s has the unknown dtype '%s'; known are %s"
                        .formatted(file, name, dtypeName, FileDType.known())));
        JsonNode offsets = value.path("data_offsets");
        if (!value.path("shape").isArray() || !isRange(offsets)) {
            throw bad(file, "tensor %s has no shape or no pair of data_offsets".formatted(name));
        }
        Shape shape = shape(file, name, value.get("shape"));
        long begin = offsets.get(0).asLong();
        long end = offsets.get(1).asLong();
        long needed = byteSize(file, name, shape, dtype);
        if (begin < 0 || end < begin) {
            throw bad(file, "tensor %s has the impossible data_offsets [%d, %d]".formatted(name, begin, end));
        }
        if (end - begin != needed) {
            throw bad(file, "tensor %s of shape %s and dtype %s needs %d bytes, but its data_offsets [%d, %d] span %d"
                    .formatted(name, shape, dtype, needed, begin, end, end - begin));
        }
        return new Entry(name, dtype, shape, begin, end);
    }

    private static boolean isRange(JsonNode offsets) {
        return offsets.size() == 2 && offsets.get(0).isIntegralNumber() && offsets.get(1).isIntegralNumber();
    }

    private static Shape shape(Path file, String name, JsonNode dims) {
        for (JsonNode dim : dims) {
            if (!dim.canConvertToInt() || !dim.isIntegralNumber() || dim.asInt() < 0) {
                throw bad(file, "tensor %s has the impossible extent %s in its shape".formatted(name, dim));
            }
        }
        return Shape.of(IntStream.range(0, dims.size()).map(i -> dims.get(i).asInt()).toArray());
    }

    private static long byteSize(Path file, String name, Shape shape, FileDType dtype) {
        try {
            long size = dtype.bytes();
            for (int dim : shape.toArray()) size = Math.multiplyExact(size, dim);
            return size;
        } catch (ArithmeticException e) {
            throw bad(file, "tensor %s has the impossible shape %s".formatted(name, shape));
        }
    }

    private static void checkLayout(Path file, Map<String, Entry> entries, long dataBytes) {
        List<Entry> byPlace = entries.values().stream()
                .sorted(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end)).toList();
        long reached = 0;
        Entry before = null;
        for (Entry entry : byPlace) {
            if (entry.end() > dataBytes) {
                throw bad(file, ("tensor %s ends at byte %d of the data, but the file holds only %d: it is "
                        + "truncated or its header is wrong").formatted(entry.name(), entry.end(), dataBytes));
            }
            if (entry.begin() < reached) {
                throw bad(file, "tensors %s and %s overlap at byte %d of the data"
                        .formatted(before.name(), entry.name(), entry.begin()));
            }
            if (entry.begin() > reached) {
                throw bad(file, "%d bytes before tensor %s belong to no tensor"
                        .formatted(entry.begin() - reached, entry.name()));
            }
            reached = entry.end();
            before = entry;
        }
        if (reached < dataBytes) {
            throw bad(file, "the last %d bytes belong to no tensor".formatted(dataBytes - reached));
        }
    }

    private static InputException bad(Path file, String what) {
        return new InputException("%s: %s; %s".formatted(file, what, REMEDY));
    }
}
