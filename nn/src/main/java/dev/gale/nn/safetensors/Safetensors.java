package dev.gale.nn.safetensors;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.SequencedSet;
import java.util.Set;
import java.util.stream.IntStream;

/// An open safetensors file. It is memory-mapped as a whole; tensors are windows into it and are never copied to the
/// heap. They are valid until `close`.
/// Source: github.com/huggingface/safetensors, section Format of its README.
public final class Safetensors implements AutoCloseable {
    private static final ValueLayout.OfLong I64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path file;
    private final Arena arena;
    private final MemorySegment data;
    private final Header header;

    private Safetensors(Path file, Arena arena, MemorySegment data, Header header) {
        this.file = file;
        this.arena = arena;
        this.data = data;
        this.header = header;
    }

    /// Maps a file and checks its header.
    /// Throws: InputException when the file is missing or breaks the format; it names the file, the tensor and the
    /// remedy.
    public static Safetensors open(Path file) {
        if (Files.isDirectory(file)) throw new InputException(file + " is a folder; give a .safetensors file");
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            MemorySegment mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            return open(file, arena, mapped);
        } catch (NoSuchFileException e) {
            arena.close();
            throw new InputException("%s does not exist; check the path".formatted(file), e);
        } catch (IOException e) {
            arena.close();
            throw new InputException("%s cannot be read (%s); check its permissions".formatted(file, e.getMessage()),
                    e);
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    private static Safetensors open(Path file, Arena arena, MemorySegment mapped) {
        if (mapped.byteSize() < Long.BYTES) {
            throw new InputException(("%s is truncated: it has %d bytes, a safetensors file at least 8; download it "
                    + "again").formatted(file, mapped.byteSize()));
        }
        long headerBytes = mapped.get(I64, 0);
        long rest = mapped.byteSize() - Long.BYTES;
        if (headerBytes < 0 || headerBytes > rest || headerBytes > Integer.MAX_VALUE - 8) {
            throw new InputException(("%s claims a header of %s bytes but has only %d more: it is truncated or not a "
                    + "safetensors file; download it again").formatted(file, Long.toUnsignedString(headerBytes), rest));
        }
        byte[] json = mapped.asSlice(Long.BYTES, headerBytes).toArray(ValueLayout.JAVA_BYTE);
        MemorySegment data = mapped.asSlice(Long.BYTES + headerBytes);
        return new Safetensors(file, arena, data, Header.parse(file, json, data.byteSize()));
    }

    public Path file() {
        return file;
    }

    /// Names of all tensors, in the order of the header.
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedSet(new LinkedHashSet<>(header.entries().keySet()));
    }

    public boolean has(String name) {
        return header.entries().containsKey(name);
    }

    /// The header's `__metadata__`, e.g. `format = pt`.
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(header.metadata());
    }

    public Shape shape(String name) {
        return entry(name).shape();
    }

    public FileDType dtype(String name) {
        return entry(name).dtype();
    }

    /// A window into the mapped file. Only a tensor that lies at an address its dtype cannot be read from, which older
    /// writers produced, is copied (off-heap).
    /// Throws: InputException when there is no such tensor, or its dtype is none that Gale computes with.
    public Tensor tensor(String name) {
        Header.Entry entry = entry(name);
        DType dtype = entry.dtype().inMemory().orElseThrow(() -> new InputException(
                "%s: tensor %s has dtype %s, but Gale computes with %s; convert the file"
                        .formatted(file, name, entry.dtype(), FileDType.computed())));
        MemorySegment bytes = bytes(entry);
        if (bytes.address() % dtype.bytes() != 0) {
            bytes = arena.allocate(entry.end() - entry.begin(), 64).copyFrom(bytes);
        }
        return new Tensor(name, dtype, entry.shape(), new Storage.Host(bytes));
    }

    /// All elements of an integer or boolean tensor, e.g. token ids.
    /// Throws: InputException when there is no such tensor, it holds no integers, or one does not fit into an int.
    public int[] readInts(String name) {
        Header.Entry entry = entry(name);
        MemorySegment bytes = bytes(entry);
        return IntStream.range(0, Math.toIntExact(entry.shape().size())).map(i -> {
            long value = integer(entry, bytes, i);
            if (value == (int) value) return (int) value;
            throw new InputException("%s: element %d of tensor %s is %d, which is no token id; check the file"
                    .formatted(file, i, name, value));
        }).toArray();
    }

    private long integer(Header.Entry entry, MemorySegment bytes, long i) {
        return switch (entry.dtype()) {
            case I64, U64 -> bytes.get(I64, i * 8);
            case I32 -> bytes.get(I32, i * 4);
            case U32 -> Integer.toUnsignedLong(bytes.get(I32, i * 4));
            case I16 -> bytes.get(I16, i * 2);
            case U16 -> Short.toUnsignedLong(bytes.get(I16, i * 2));
            case I8 -> bytes.get(ValueLayout.JAVA_BYTE, i);
            case U8, BOOL -> Byte.toUnsignedLong(bytes.get(ValueLayout.JAVA_BYTE, i));
            case F8_E4M3, F8_E5M2, F16, BF16, F32, F64 -> throw new InputException(
                    "%s: tensor %s has dtype %s where whole numbers are needed; store it as I64"
                            .formatted(file, entry.name(), entry.dtype()));
        };
    }

    /// All elements of a floating tensor.
    /// Throws: InputException when there is no such tensor or it is not F64, F32, F16 or BF16.
    public float[] readFloats(String name) {
        Header.Entry entry = entry(name);
        MemorySegment bytes = bytes(entry);
        float[] values = new float[Math.toIntExact(entry.shape().size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = switch (entry.dtype()) {
                case F32 -> Float.intBitsToFloat(bytes.get(I32, i * 4L));
                case F64 -> (float) Double.longBitsToDouble(bytes.get(I64, i * 8L));
                case F16 -> Float.float16ToFloat(bytes.get(I16, i * 2L));
                case BF16 -> Float.intBitsToFloat(bytes.get(I16, i * 2L) << 16);
                default -> throw new InputException(
                        "%s: tensor %s has dtype %s where floating numbers are needed; store it as F32"
                        .formatted(file, name, entry.dtype()));
            };
        }
        return values;
    }

    /// A window into the mapped file.
    MemorySegment bytes(String name) {
        return bytes(entry(name));
    }

    private MemorySegment bytes(Header.Entry entry) {
        return data.asSlice(entry.begin(), entry.end() - entry.begin());
    }

    private Header.Entry entry(String name) {
        Header.Entry entry = header.entries().get(name);
        if (entry == null) {
            throw new InputException("%s has no tensor %s; it has %s"
                    .formatted(file, name, some(header.entries().keySet())));
        }
        return entry;
    }

    private static String some(Set<String> names) {
        if (names.isEmpty()) return "none at all";
        String first = String.join(", ", names.stream().limit(4).toList());
        return names.size() <= 4 ? first : "%s and %d more".formatted(first, names.size() - 4);
    }

    /// Unmaps the file; its tensors must not be used any more.
    @Override
    public void close() {
        arena.close();
    }
}
