package dev.gale.nn.safetensors;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.AtomicFile;
import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/// Writes safetensors files, one tensor after the other, from any implementation of `TensorOps` or from mapped files.
/// Weights of few bits must be in host memory; they are written as `QuantizedTensors` says. A file appears under its name only
/// when it is complete.
public final class SafetensorsWriter {
    /// What PyTorch's loaders ask for.
    public static final Map<String, String> METADATA = Map.of("format", "pt");
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int CHUNK_BYTES = 1 << 20;

    private final TensorOps ops;
    private final DType dtype;
    private final Set<Tensor> exact = Collections.newSetFromMap(new IdentityHashMap<>());      // scales keep their dtype
    private final ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK_BYTES).order(ByteOrder.LITTLE_ENDIAN);

    /// @param ops   where tensors live that are not in host memory
    /// @param dtype what floating tensors are converted to, rounding to nearest even; null leaves each as it is
    public SafetensorsWriter(TensorOps ops, DType dtype) {
        if (dtype != null && !dtype.floating()) throw new IllegalArgumentException("cannot write weights as " + dtype);
        this.ops = ops;
        this.dtype = dtype;
    }

    /// Writes one file with `METADATA`, replacing what has its name.
    /// Throws: InputException when it cannot be written.
    public void write(Path file, Map<String, Tensor> tensors) {
        write(file, tensors, METADATA);
    }

    /// Writes one file, replacing what has its name. The keys of the map are the names in the file.
    /// Throws: InputException when it cannot be written.
    public void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata) {
        try (AtomicFile target = new AtomicFile(file)) {
            stream(target, plain(tensors), metadata);
            target.commit();
        }
    }

    /// Writes `stem.safetensors`, or, when that would exceed `maxShardBytes`, `stem-00001-of-0000n.safetensors` and
    /// `stem.safetensors.index.json`. What an earlier save left under the other layout is removed at the end.
    /// Throws: InputException when it cannot be written.
    public void writeSharded(Path dir, String stem, Map<String, Tensor> tensors, long maxShardBytes) {
        List<Map<String, Tensor>> shards = shards(plain(tensors), maxShardBytes);
        List<String> names = names(stem, shards.size());
        List<AtomicFile> files = new ArrayList<>();
        try {
            for (int i = 0; i < shards.size(); i++) {
                files.add(new AtomicFile(dir.resolve(names.get(i))));
                stream(files.get(i), shards.get(i), METADATA);
            }
            files.forEach(AtomicFile::commit);
        } finally {
            files.forEach(AtomicFile::close);
        }
        if (shards.size() > 1) AtomicFile.write(dir.resolve(stem + ".safetensors.index.json"), index(names, shards));
        removeOthers(dir, stem, names);
    }

    /// The same with weights of few bits taken apart.
    private Map<String, Tensor> plain(Map<String, Tensor> tensors) {
        Map<String, Tensor> plain = new LinkedHashMap<>();
        DType dense = tensors.values().stream().filter(tensor -> tensor.dtype().floating()).findFirst()
                .map(this::target).orElse(DType.F32);
        tensors.forEach((name, tensor) -> {
            if (!tensor.dtype().quantized()) plain.put(name, tensor);
            else QuantizedParts.of(name, tensor, dense).forEach((part, value) -> {
                plain.put(part, value);
                exact.add(value);
            });
        });
        return plain;
    }

    private List<Map<String, Tensor>> shards(Map<String, Tensor> tensors, long maxShardBytes) {
        List<Map<String, Tensor>> shards = new ArrayList<>();
        long room = 0;
        for (Map.Entry<String, Tensor> tensor : tensors.entrySet()) {
            long bytes = bytes(tensor.getValue());
            if (shards.isEmpty() || bytes > room) {
                shards.add(new LinkedHashMap<>());
                room = maxShardBytes;
            }
            shards.getLast().put(tensor.getKey(), tensor.getValue());
            room -= bytes;
        }
        if (shards.isEmpty()) shards.add(Map.of());
        return shards;
    }

    private static List<String> names(String stem, int count) {
        if (count == 1) return List.of(stem + ".safetensors");
        return Stream.iterate(1, i -> i <= count, i -> i + 1)
                .map(i -> "%s-%05d-of-%05d.safetensors".formatted(stem, i, count)).toList();
    }

    private String index(List<String> names, List<Map<String, Tensor>> shards) {
        ObjectNode index = JSON.createObjectNode();
        index.putObject("metadata").put("total_size",
                shards.stream().flatMap(shard -> shard.values().stream()).mapToLong(this::bytes).sum());
        ObjectNode map = index.putObject("weight_map");
        for (int i = 0; i < names.size(); i++) {
            for (String tensor : shards.get(i).keySet()) map.put(tensor, names.get(i));
        }
        return index.toPrettyString() + "\n";
    }

    private static void removeOthers(Path dir, String stem, List<String> kept) {
        String ours = "\\Q" + stem + "\\E(-\\d{5}-of-\\d{5})?\\.safetensors(\\.index\\.json)?";
        try (Stream<Path> files = Files.list(dir)) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                boolean needed = kept.contains(name) || kept.size() > 1 && name.endsWith(".index.json");
                if (name.matches(ours) && !needed) Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void stream(AtomicFile file, Map<String, Tensor> tensors, Map<String, String> metadata) {
        List<Map.Entry<String, Tensor>> aligned = tensors.entrySet().stream()   // wide elements first: all stay aligned
                .sorted(Comparator.comparingInt(entry -> -target(entry.getValue()).bytes())).toList();
        ObjectNode header = JSON.createObjectNode();
        if (!metadata.isEmpty()) metadata.forEach(header.putObject("__metadata__")::put);
        long end = 0;
        for (Map.Entry<String, Tensor> entry : aligned) {
            ObjectNode field = header.putObject(entry.getKey());
            field.put("dtype", target(entry.getValue()).name());
            Arrays.stream(entry.getValue().shape().toArray()).forEach(field.putArray("shape")::add);
            field.putArray("data_offsets").add(end).add(end += bytes(entry.getValue()));
        }
        writeHeader(file, header);
        for (Map.Entry<String, Tensor> entry : aligned) writeData(file, entry.getValue());
    }

    private static void writeHeader(AtomicFile file, ObjectNode header) {
        byte[] json;
        try {
            json = JSON.writeValueAsBytes(header);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        int padded = (json.length + 7) / 8 * 8;
        ByteBuffer head = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN).putLong(padded).put(json);
        while (head.hasRemaining()) head.put((byte) ' ');
        file.write(head.flip());
    }

    private DType target(Tensor tensor) {
        return dtype != null && tensor.dtype().floating() && !exact.contains(tensor) ? dtype : tensor.dtype();
    }

    private long bytes(Tensor tensor) {
        return tensor.size() * target(tensor).bytes();
    }

    private void writeData(AtomicFile file, Tensor tensor) {
        DType target = target(tensor);
        boolean onHost = tensor.storage() instanceof Storage.Host;
        if (onHost && target == tensor.dtype()) {
            writeBytes(file, tensor.segment(), tensor.byteSize());
        } else if (target == tensor.dtype()) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment bytes = arena.allocate(tensor.byteSize(), 8);
                ops.readBytes(bytes, tensor);
                writeBytes(file, bytes, tensor.byteSize());
            }
        } else {
            float[] values = onHost ? null : ops.toFloats(tensor);
            for (long i = 0; i < tensor.size(); i++) {
                put(file, target, onHost ? Convert.get(tensor.segment(), tensor.dtype(), i) : values[(int) i]);
            }
        }
        flush(file);
    }

    private static void writeBytes(AtomicFile file, MemorySegment bytes, long count) {
        for (long at = 0; at < count; at += CHUNK_BYTES) {
            file.write(bytes.asSlice(at, Math.min(CHUNK_BYTES, count - at)).asByteBuffer());
        }
    }

    private void put(AtomicFile file, DType target, float value) {
        ByteBuffer buffer = room(file, target.bytes());
        switch (target) {
            case F32 -> buffer.putFloat(value);
            case F16 -> buffer.putShort(Convert.toF16(value));
            case BF16 -> buffer.putShort(Convert.toBf16(value));
            case I32, U8, NF4, FP4, I8 -> throw new IllegalStateException("no floating dtype: " + target);
        }
    }

    private ByteBuffer room(AtomicFile file, int bytes) {
        if (chunk.remaining() < bytes) flush(file);
        return chunk;
    }

    private void flush(AtomicFile file) {
        file.write(chunk.flip());
        chunk.clear();
    }
}
