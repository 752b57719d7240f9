package dev.gale.nn.safetensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SafetensorsTest {
    @TempDir
    Path dir;

    private Path file(String header, int dataBytes) throws IOException {
        return file(header.getBytes(StandardCharsets.UTF_8).length, header, new byte[dataBytes]);
    }

    private Path file(long headerBytes, String header, byte[] data) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(8 + json.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(headerBytes).put(json).put(data);
        return Files.write(dir.resolve("x.safetensors"), bytes.array());
    }

    private static String entry(String name, String dtype, String shape, int begin, int end) {
        return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                .formatted(name, dtype, shape, begin, end);
    }

    private void rejects(String part, Path file) {
        String message = assertThrows(InputException.class, () -> Safetensors.open(file)).getMessage();
        assertTrue(message.contains(part) && message.contains(file.getFileName().toString())
                && !message.contains("\n"), message);
    }

    @Test
    void aMissingFileOrAFolderIsNamed() {
        rejects("does not exist", dir.resolve("absent.safetensors"));
        rejects("is a folder", dir);
    }

    @Test
    void aTruncatedFileIsRejected() throws IOException {
        rejects("is truncated: it has 3 bytes", Files.write(dir.resolve("x.safetensors"), new byte[3]));
        rejects("is truncated: it has 0 bytes", Files.write(dir.resolve("x.safetensors"), new byte[0]));
        rejects("tensor a ends at byte 16 of the data, but the file holds only 15",
                file("{" + entry("a", "F32", "[4]", 0, 16) + "}", 15));
    }

    @Test
    void aHeaderBeyondTheFileIsRejected() throws IOException {
        rejects("claims a header of 100 bytes but has only 2 more", file(100, "{}", new byte[0]));
        rejects("claims a header of 18446744073709551615 bytes", file(-1, "{}", new byte[0]));
        rejects("claims a header of 9223372036854775807 bytes", file(Long.MAX_VALUE, "{}", new byte[0]));
    }

    @Test
    void aHeaderThatIsNotJsonIsRejected() throws IOException {
        rejects("its header is not JSON", file("{\"a\":", 0));
        rejects("its header is not JSON", file("\u0001\u0002 nonsense", 0));
        rejects("its header is not a JSON object", file("[]", 0));
        rejects("has no shape or no pair of data_offsets", file("{\"a\":{\"dtype\":\"F32\"}}", 0));
    }

    @Test
    void offsetsThatOverlapLeaveTheFileOrLeaveGapsAreRejected() throws IOException {
        String a = entry("a", "F32", "[2]", 0, 8);
        rejects("tensors a and b overlap at byte 4", file("{" + a + "," + entry("b", "F32", "[2]", 4, 12) + "}", 12));
        rejects("4 bytes before tensor b belong to no tensor",
                file("{" + a + "," + entry("b", "F32", "[2]", 12, 20) + "}", 20));
        rejects("the last 3 bytes belong to no tensor", file("{" + a + "}", 11));
        rejects("impossible data_offsets [-8, 0]", file("{" + entry("a", "F32", "[2]", -8, 0) + "}", 8));
        rejects("impossible data_offsets [8, 0]", file("{" + entry("a", "F32", "[2]", 8, 0) + "}", 8));
    }

    @Test
    void bytesThatDisagreeWithShapeAndDtypeAreRejected() throws IOException {
        rejects("tensor a of shape [2, 3] and dtype BF16 needs 12 bytes, but its data_offsets [0, 16] span 16",
                file("{" + entry("a", "BF16", "[2,3]", 0, 16) + "}", 16));
        rejects("impossible extent -2", file("{" + entry("a", "F32", "[-2]", 0, 8) + "}", 8));
        rejects("impossible extent 2.5", file("{" + entry("a", "F32", "[2.5]", 0, 8) + "}", 8));
        rejects("impossible shape", file("{" + entry("a", "F32", "[2000000000,2000000000,2000000000]", 0, 8) + "}", 8));
    }

    @Test
    void unknownDtypesListTheKnownOnes() throws IOException {
        rejects("tensor a has the unknown dtype 'F4'; known are BOOL, U8, I8",
                file("{" + entry("a", "F4", "[2]", 0, 1) + "}", 1));
    }

    @Test
    void aNameThatStandsTwiceIsRejected() throws IOException {
        String a = entry("a", "F32", "[2]", 0, 8);
        rejects("its header names tensor a twice", file("{" + a + "," + entry("a", "F32", "[2]", 8, 16) + "}", 16));
    }

    @Test
    void absentTensorsAndUnusableDtypesAreNamed() throws IOException {
        try (Safetensors file = Safetensors.open(file("{" + entry("a", "F64", "[1]", 0, 8) + "}", 8))) {
            assertTrue(assertThrows(InputException.class, () -> file.tensor("b")).getMessage().contains(
                    "has no tensor b; it has a"));
            assertTrue(assertThrows(InputException.class, () -> file.tensor("a")).getMessage().contains("dtype F64"));
            assertTrue(assertThrows(InputException.class, () -> file.readInts("a")).getMessage().contains(
                    "whole numbers"));
            assertArrayEquals(new float[] {0}, file.readFloats("a"));
        }
    }

    @Test
    void wholeNumbersOfEveryWidthAreReadAsIds() throws IOException {
        byte[] data = ByteBuffer.allocate(8 + 4 + 2 + 1 + 1).order(ByteOrder.LITTLE_ENDIAN)
                .putLong(-5).putInt(-6).putShort((short) -7).put((byte) 200).put((byte) 1).array();
        String header = "{" + String.join(",", entry("l", "I64", "[1,1]", 0, 8), entry("i", "I32", "[]", 8, 12),
                entry("s", "I16", "[1]", 12, 14), entry("u", "U8", "[1]", 14, 15), entry("b", "BOOL", "[1]", 15, 16))
                        + "}";
        try (Safetensors file = Safetensors.open(file(header.length(), header, data))) {
            assertEquals(List.of("l", "i", "s", "u", "b"), List.copyOf(file.names()));
            int[] got = Stream.of("l", "i", "s", "u", "b").mapToInt(name -> file.readInts(name)[0]).toArray();
            assertArrayEquals(new int[] {-5, -6, -7, 200, 1}, got);
        }
        byte[] large = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(1L << 31).array();
        String one = "{" + entry("l", "I64", "[1]", 0, 8) + "}";
        try (Safetensors file = Safetensors.open(file(one.length(), one, large))) {
            assertTrue(assertThrows(InputException.class, () -> file.readInts("l")).getMessage().contains(
                    "2147483648"));
        }
    }

    @Test
    void aTensorAtAnOddAddressIsReadable() throws IOException {
        byte[] data = ByteBuffer.allocate(9).order(ByteOrder.LITTLE_ENDIAN).put((byte) 1).putFloat(1.5f)
                .putFloat(-2f).array();
        String header = "{" + entry("u", "U8", "[1]", 0, 1) + "," + entry("f", "F32", "[2]", 1, 9) + "}";
        try (Safetensors file = Safetensors.open(file(header.length(), header, data));
             TensorOps ops = new ReferenceOps()) {
            assertEquals(0, file.tensor("f").segment().address() % 4);
            assertArrayEquals(new float[] {1.5f, -2f}, ops.toFloats(file.tensor("f")));
        }
    }

    @Test
    void filesBeyondTwoGigabytesAreMappedAsAWhole() throws IOException {
        String header = """
                {"a":{"dtype":"U8","shape":[3,1000000000],"data_offsets":[0,3000000000]},
                "b":{"dtype":"F32","shape":[2],"data_offsets":[3000000000,3000000008]}}""";
        header += " ".repeat(8 - header.length() % 8);
        Path sparse = file(header.length(), header, new byte[0]);
        try (FileChannel channel = FileChannel.open(sparse, StandardOpenOption.WRITE)) {
            ByteBuffer values = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putFloat(2.5f).putFloat(-1f);
            channel.write(values.flip(), 8 + header.length() + 3_000_000_000L);
        }
        try (Safetensors file = Safetensors.open(sparse); TensorOps ops = new ReferenceOps()) {
            assertEquals(3_000_000_000L, file.tensor("a").segment().byteSize());
            assertArrayEquals(new float[] {2.5f, -1f}, ops.toFloats(file.tensor("b")));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16", "F16"})
    void whatIsWrittenReadsBackRounded(DType dtype) {
        float[] values = {0.1f, -3e-5f, 1e4f, Float.NaN, Float.POSITIVE_INFINITY, 65519f};
        try (TensorOps ops = new ReferenceOps()) {
            Tensor f32 = ops.allocate("f", DType.F32, Shape.of(2, 3));
            ops.write(f32, values);
            Tensor ints = ops.allocate("i", DType.I32, Shape.of(3));
            ops.write(ints, new int[] {1, -2, 3});
            Tensor want = ops.allocate("w", dtype, Shape.of(2, 3));
            ops.copy(want, f32);
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            tensors.put("weight", f32);
            tensors.put("already", want);
            tensors.put("ids", ints);
            Path target = dir.resolve("new/folder/out.safetensors");
            new SafetensorsWriter(ops, dtype).write(target, tensors);
            try (Safetensors file = Safetensors.open(target)) {
                assertEquals(Map.of("format", "pt"), file.metadata());
                for (String name : List.of("weight", "already")) {
                    assertEquals(dtype, file.tensor(name).dtype());
                    assertArrayEquals(ops.toFloats(want), ops.toFloats(file.tensor(name)));
                }
                assertArrayEquals(new int[] {1, -2, 3}, ops.toInts(file.tensor("ids")));
                for (String name : file.names()) assertEquals(0, file.tensor(name).segment().address() % 4);
            }
        }
    }

    @Test
    void tensorsLongerThanTheBufferSurvive() {
        try (TensorOps ops = new ReferenceOps()) {
            Tensor tensor = ops.allocate("f", DType.F32, Shape.of(700_001));
            float[] values = new float[700_001];
            for (int i = 0; i < values.length; i++) values[i] = i % 251;
            ops.write(tensor, values);
            for (DType dtype : List.of(DType.F32, DType.BF16)) {
                new SafetensorsWriter(ops, dtype).write(dir.resolve("l.safetensors"), Map.of("f", tensor), Map.of());
                try (Safetensors file = Safetensors.open(dir.resolve("l.safetensors"))) {
                    assertArrayEquals(values, file.readFloats("f"), "integers up to 250 are exact in " + dtype);
                    assertEquals(Map.of(), file.metadata());
                }
            }
        }
    }

    @Test
    void aFailedWriteLeavesTheOldFileAndNoTrace() throws IOException {
        Path target = Files.writeString(dir.resolve("m.safetensors"), "old");
        TensorOps ops = new ReferenceOps();
        Tensor tensor = ops.allocate("f", DType.F32, Shape.of(2));
        ops.close();
        assertThrows(IllegalStateException.class, () ->
                new SafetensorsWriter(ops, null).write(target, Map.of("f", tensor)));
        assertEquals("old", Files.readString(target));
        try (Stream<Path> files = Files.list(dir)) {
            assertEquals(List.of(target), files.toList());
        }
        String message = assertThrows(InputException.class, () -> new SafetensorsWriter(ops, null)
                .write(target.resolve("below.safetensors"), Map.of())).getMessage();
        assertTrue(message.startsWith("cannot write ") && message.contains("below.safetensors"), message);
    }

    @Test
    void shardsAreIndexedAndReplaceTheOtherLayout() throws IOException {
        try (TensorOps ops = new ReferenceOps()) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (String name : List.of("a", "b", "c")) {
                Tensor tensor = ops.allocate(name, DType.F32, Shape.of(4));
                ops.fill(tensor, name.charAt(0));
                tensors.put(name, tensor);
            }
            SafetensorsWriter writer = new SafetensorsWriter(ops, null);
            writer.writeSharded(dir, "model", tensors, 1000);
            assertTrue(Files.exists(dir.resolve("model.safetensors")));
            writer.writeSharded(dir, "model", tensors, 32);
            assertFalse(Files.exists(dir.resolve("model.safetensors")));
            assertTrue(Files.exists(dir.resolve("model-00002-of-00002.safetensors")));
            try (WeightFiles weights = WeightFiles.open(dir)) {
                assertEquals(tensors.keySet(), weights.names());
                assertEquals('c', ops.toFloats(weights.tensor("c", Shape.of(4)))[3]);
            }
            writer.writeSharded(dir, "model", tensors, 1000);
            assertFalse(Files.exists(dir.resolve("model.safetensors.index.json")));
            assertFalse(Files.exists(dir.resolve("model-00001-of-00002.safetensors")));
        }
    }

    private void rejectsFolder(String part) {
        String message = assertThrows(InputException.class, () -> WeightFiles.open(dir)).getMessage();
        assertTrue(message.contains(part) && !message.contains("\n"), message);
    }

    @Test
    void anIndexThatPromisesTooMuchIsRejected() throws IOException {
        rejectsFolder("has neither model.safetensors nor model.safetensors.index.json");
        Path index = dir.resolve("model.safetensors.index.json");
        Files.writeString(index, "{");
        rejectsFolder("model.safetensors.index.json is not JSON");
        Files.writeString(index, "{}");
        rejectsFolder("has no weight_map");
        Files.writeString(index, "{\"weight_map\":{\"a\":\"../a.safetensors\"}}");
        rejectsFolder("outside its folder");
        Files.writeString(index, "{\"weight_map\":{\"a\":\"gone.safetensors\"}}");
        rejectsFolder("gone.safetensors is missing, although model.safetensors.index.json puts tensor a into it");
        file("{" + entry("a", "F32", "[2]", 0, 8) + "}", 8);
        Files.writeString(index, "{\"weight_map\":{\"a\":\"x.safetensors\",\"b\":\"x.safetensors\"}}");
        rejectsFolder("x.safetensors lacks tensor b, although model.safetensors.index.json puts it there");
    }
}
