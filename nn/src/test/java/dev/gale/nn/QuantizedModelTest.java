package dev.gale.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.safetensors.FileDType;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.nn.safetensors.SafetensorsWriter;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Models with weights of few bits: quantized while they are loaded, and from files in bitsandbytes' layout.
class QuantizedModelTest {
    private static final int[] TOKENS = {3, 1, 4, 1, 5, 9, 2, 6};
    private static final String UP = "model.layers.1.mlp.up_proj.weight";           // [160, 64]
    private static final int BLOCKS = 160;

    @TempDir
    private Path folder;

    private static LoadOptions quantized(Quantization quantization, String... skipped) {
        return LoadOptions.defaults().withQuantization(quantization).withSkipModules(new SkipModules(List.of(skipped)));
    }

    private Path saved(String fixture, Quantization quantization, DType dtype, String... skipped) {
        try (TensorOps ops = new CpuOps();
             CausalLm model = CausalLm.load(Fixtures.folder(fixture), quantized(quantization, skipped), ops)) {
            model.save(folder, dtype);
        }
        return folder;
    }

    private static byte[] bytes(Tensor tensor) {
        return tensor.segment().asSlice(0, tensor.byteSize()).toArray(ValueLayout.JAVA_BYTE);
    }

    private static void assertSameBits(Tensor want, Tensor got) {
        assertEquals(want.dtype(), got.dtype(), want.name());
        assertArrayEquals(bytes(want), bytes(got), want.name());
        if (want.scales() == null) return;
        assertEquals(want.scales().tensors().size(), got.scales().tensors().size());
        for (int i = 0; i < want.scales().tensors().size(); i++) {
            assertSameBits(want.scales().tensors().get(i), got.scales().tensors().get(i));
        }
    }

    /// The files were made with PyTorch by bitsandbytes' formulas, the logits by Transformers on the weights made dense again.
    @ParameterizedTest
    @CsvSource({"llama-nf4, NF4_NESTED", "llama-fp4, FP4_NESTED"})
    void filesOfOthersGiveTheLogitsOfOthers(String name, Quantization quantization) {
        Path dir = Fixtures.folder(name);
        try (TensorOps ops = new CpuOps(); CausalLm model = CausalLm.load(dir, LoadOptions.defaults(), ops);
             CausalLm own = CausalLm.load(Fixtures.folder("llama"), quantized(quantization), ops);
             Safetensors expected = Safetensors.open(dir.resolve("expected.safetensors"))) {
            int[][] sequences = Fixtures.sequences(expected, "input_ids", 2);
            double worst = Fixtures.worst(Fixtures.logits(model, sequences), expected.readFloats("logits"), sequences, 24, 320);
            assertTrue(worst <= 2e-5, "largest difference of a logit " + worst);
            assertEquals(quantization, Quantization.of(model.parameter(UP).value()));
            assertEquals(DType.F32, model.parameter("model.layers.0.mlp.down_proj.weight").value().dtype(),
                    "llm_int8_skip_modules");
            if (quantization == Quantization.NF4_NESTED) {                        // fp4 has a second code for 0
                assertArrayEquals(bytes(own.parameter(UP).value()), bytes(model.parameter(UP).value()));
            }
            assertArrayEquals(bytes(own.parameter(UP).value().scales().absmax()),
                    bytes(model.parameter(UP).value().scales().absmax()));
        }
    }

    @ParameterizedTest
    @EnumSource(Quantization.class)
    void whatIsSavedAndLoadedHasTheBitsOfQuantizingAtLoad(Quantization quantization) {
        Path dir = saved("llama", quantization, null);
        try (TensorOps ops = new CpuOps();
             CausalLm want = CausalLm.load(Fixtures.folder("llama"), quantized(quantization), ops);
             CausalLm got = CausalLm.load(dir, LoadOptions.defaults(), ops)) {
            for (int i = 0; i < want.parameters().size(); i++) {
                assertSameBits(want.parameters().get(i).value(), got.parameters().get(i).value());
            }
            assertEquals(quantization, got.quantization().orElseThrow().quantization());
            assertArrayEquals(Fixtures.logits(want, TOKENS), Fixtures.logits(got, TOKENS));
        }
    }

    /// Head widths that four bits do not divide into whole blocks are for int8 alone: `llama-bias` is 12 wide.
    @Test
    void biasesStayDense() {
        Path dir = saved("llama-bias", Quantization.INT8, null);
        try (TensorOps ops = new ReferenceOps(); CausalLm got = CausalLm.load(dir, LoadOptions.defaults(), ops);
             CausalLm want = CausalLm.load(Fixtures.folder("llama-bias"), quantized(Quantization.INT8), ops)) {
            assertArrayEquals(Fixtures.logits(want, TOKENS), Fixtures.logits(got, TOKENS));
        }
    }

    @Test
    void namesDtypesAndShapesAreThoseOfBitsandbytes() throws IOException {
        Path dir = saved("llama", Quantization.NF4_NESTED, DType.BF16, "model.layers.0.", "down_proj");
        try (Safetensors file = Safetensors.open(dir.resolve("model.safetensors"))) {
            assertEquals(List.of(UP, UP + ".absmax", UP + ".nested_absmax", UP + ".nested_quant_map", UP + ".quant_map",
                    UP + ".quant_state.bitsandbytes__nf4"),
                    file.names().stream().filter(name -> name.startsWith(UP)).sorted().toList());
            assertStored(file, UP, FileDType.U8, 160 * 64 / 2, 1);
            assertStored(file, UP + ".absmax", FileDType.U8, BLOCKS);
            assertStored(file, UP + ".nested_absmax", FileDType.F32, 1);
            assertStored(file, UP + ".nested_quant_map", FileDType.F32, 256);
            assertStored(file, UP + ".quant_map", FileDType.F32, 16);
            assertStored(file, "model.layers.0.mlp.up_proj.weight", FileDType.BF16, 160, 64);
            assertStored(file, "model.layers.1.mlp.down_proj.weight", FileDType.BF16, 64, 160);
            assertStored(file, "lm_head.weight", FileDType.BF16, 320, 64);
            String state = new String(bytes(file.tensor(UP + ".quant_state.bitsandbytes__nf4")), StandardCharsets.UTF_8);
            assertTrue(state.startsWith("{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"bfloat16\",\"shape\":[160,64],"
                    + "\"nested_blocksize\":256,\"nested_dtype\":\"float32\",\"nested_offset\":"), state);
        }
        ObjectNode config = (ObjectNode) new ObjectMapper().readTree(dir.resolve("config.json").toFile())
                .get("quantization_config");
        assertEquals("bitsandbytes", config.get("quant_method").asText());
        assertTrue(config.get("load_in_4bit").asBoolean() && config.get("bnb_4bit_use_double_quant").asBoolean());
        String skipped = config.get("llm_int8_skip_modules").toString();
        assertTrue(skipped.startsWith("[\"lm_head\",\"model.layers.0.self_attn.q_proj\""), skipped);
        try (TensorOps ops = new CpuOps(); CausalLm model = CausalLm.load(dir, LoadOptions.defaults(), ops)) {
            assertEquals(DType.NF4, model.parameter(UP).value().dtype());
            assertEquals(DType.BF16, model.parameter("model.layers.0.mlp.up_proj.weight").value().dtype());
        }
    }

    @Test
    void rowsOfInt8HaveTheirScaleBeside() {
        Path dir = saved("llama", Quantization.INT8, null);
        try (Safetensors file = Safetensors.open(dir.resolve("model.safetensors"))) {
            assertEquals(FileDType.I8, file.dtype(UP));
            assertEquals(Shape.of(160, 64), file.shape(UP));
            assertStored(file, UP.replace("weight", "SCB"), FileDType.F32, 160);
            assertEquals(FileDType.U8, file.dtype(UP.replace("weight", "weight_format")));
            assertThrows(InputException.class, () -> file.tensor(UP));
        }
    }

    private static void assertStored(Safetensors file, String name, FileDType dtype, int... dims) {
        assertEquals(dtype, file.dtype(name), name);
        assertEquals(Shape.of(dims), file.shape(name), name);
    }

    /// The codes are used where the file is mapped, and a plan counts as the CPU does.
    @ParameterizedTest
    @EnumSource(Quantization.class)
    void aPlanTakesTheBytesOfTheRun(Quantization quantization) {
        for (Path dir : List.of(Fixtures.folder("llama"), saved("llama", quantization, null))) {
            LoadOptions options = dir.equals(folder) ? LoadOptions.defaults() : quantized(quantization);
            try (TensorOps cpu = new CpuOps(); TensorOps plan = new NullOps();
                 CausalLm run = CausalLm.load(dir, options, cpu); CausalLm planned = CausalLm.load(dir, options, plan)) {
                assertEquals(cpu.memory().liveBytes(), plan.memory().liveBytes());
                assertEquals(cpu.memory().reservedBytes(), plan.memory().reservedBytes());
                assertEquals(cpu.memory().liveBytes(), cpu.memory().peakLiveBytes(), "nothing but the result");
                assertEquals(run.parameters().size(), planned.parameters().size());
                if (dir.equals(folder)) assertTrue(cpu.memory().liveBytes() < 100_000, "rope tables alone");
            }
        }
    }

    @Test
    void namesAreMatchedAsTransformersDoes() {
        SkipModules names = new SkipModules(List.of("model.layers.1", "o_proj", "model\\.layers\\.\\d+\\.mlp\\.gate"));
        assertTrue(names.skips("model.layers.1.mlp.up_proj"));
        assertTrue(names.skips("model.layers.12.mlp.up_proj"), "a prefix, as Transformers has it");
        assertTrue(names.skips("model.layers.0.self_attn.o_proj"));
        assertTrue(names.skips("model.layers.0.mlp.gate_proj"));
        assertFalse(names.skips("model.layers.0.mlp.up_proj"));
        assertThrows(InputException.class, () -> new SkipModules(List.of("((")));
    }

    @Test
    void aModelThatIsQuantizedOpensOnlyAsItIs() {
        Path dir = saved("llama", Quantization.NF4, null);
        refused(dir, LoadOptions.defaults().withTrainable(true), "config.json: the weights are nf4 and cannot be trained");
        refused(dir, quantized(Quantization.INT8), "the weights are nf4 and cannot become int8");
        refused(dir, quantized(Quantization.FP4), "the weights are nf4 and cannot become fp4");
        refused(dir, quantized(Quantization.NF4, "o_proj"), "leave out llm_int8_skip_modules");
        try (TensorOps ops = new CpuOps(); CausalLm model = CausalLm.load(dir, quantized(Quantization.NF4), ops)) {
            assertEquals(DType.NF4, model.parameter(UP).value().dtype());
        }
    }

    @Test
    void whatCannotBeQuantizedIsNamed() {
        refused(Fixtures.folder("llama"), quantized(Quantization.NF4, "q_prj"), "llm_int8_skip_modules",
                "did you mean 'q_proj'?");
        refused(Fixtures.folder("llama-bias"), quantized(Quantization.NF4), "blocks of 64 do not divide the",
                "llm_int8_skip_modules");
    }

    private static void refused(Path dir, LoadOptions options, String... words) {
        try (TensorOps ops = new CpuOps()) {
            String message = assertThrows(InputException.class, () -> CausalLm.load(dir, options, ops)).getMessage();
            for (String word : words) assertTrue(message.contains(word), word + " is not in " + message);
            assertEquals(0, ops.memory().liveBytes());
        }
    }

    // ---- broken files ----

    private interface Break extends Consumer<Map<String, Tensor>> {}

    private static Arguments of(String name, Quantization quantization, Break change, String... words) {
        return Arguments.of(Named.of(name, quantization), change, List.of(words));
    }

    private static Tensor u8(byte[] bytes, int... dims) {
        return new Tensor("bytes", DType.U8, Shape.of(dims), host(MemorySegment.ofArray(bytes)));
    }

    private static Tensor f32(float... values) {
        return new Tensor("floats", DType.F32, Shape.of(values.length), host(MemorySegment.ofArray(values)));
    }

    private static Storage host(MemorySegment bytes) {
        return new Storage.Host(Arena.ofAuto().allocate(bytes.byteSize(), 8).copyFrom(bytes));
    }

    private static Break state(String suffix, String from, String to) {
        return tensors -> {
            String key = UP + ".quant_state.bitsandbytes__" + suffix;
            String text = new String(bytes(tensors.get(key)), StandardCharsets.UTF_8);
            assertTrue(text.contains(from), text);
            byte[] changed = text.replace(from, to).getBytes(StandardCharsets.UTF_8);
            tensors.put(key, u8(changed, changed.length));
        };
    }

    private static Break drop(String suffix) {
        return tensors -> tensors.remove(UP + suffix);
    }

    private static Break put(String suffix, Tensor tensor) {
        return tensors -> tensors.put(UP + suffix, tensor);
    }

    private static float[] with(float value, int at, int size) {
        float[] values = new float[size];
        values[at] = value;
        return values;
    }

    static Stream<Arguments> broken() {
        Quantization plain = Quantization.NF4;
        Quantization nested = Quantization.NF4_NESTED;
        String state = ".quant_state.bitsandbytes__nf4";
        return Stream.of(
                of("no weight", plain, drop(""), "lacks tensor " + UP, "download it again"),
                of("no state", plain, drop(state), "lacks tensor " + UP + state, "llm_int8_skip_modules"),
                of("no absmax", plain, drop(".absmax"), "lacks tensor " + UP + ".absmax", "quantize the model again"),
                of("no map", plain, drop(".quant_map"), "lacks tensor " + UP + ".quant_map"),
                of("no nested absmax", nested, drop(".nested_absmax"), "lacks tensor " + UP + ".nested_absmax"),
                of("no nested map", nested, drop(".nested_quant_map"), "lacks tensor " + UP + ".nested_quant_map"),
                of("few codes", plain, put("", u8(new byte[5119], 5119, 1)), UP + " has 5119 bytes of codes",
                        "[160, 64] needs 5120"),
                of("few absmax", plain, put(".absmax", f32(new float[159])), ".absmax is F32 [159]", "160 of F32"),
                of("absmax of another dtype", plain, put(".absmax", u8(new byte[160], 160)), ".absmax is U8 [160]",
                        "160 of F32"),
                of("many factors", nested, put(".nested_absmax", f32(1, 1)), ".nested_absmax is F32 [2]", "1 of F32"),
                of("NaN", plain, put(".absmax", f32(with(Float.NaN, 7, 160))), ".absmax has NaN as element 7", "broken"),
                of("nested NaN", nested, put(".nested_absmax", f32(Float.NaN)), ".nested_absmax has NaN as element 0"),
                of("infinite map", nested, put(".nested_quant_map", f32(with(Float.POSITIVE_INFINITY, 255, 256))),
                        "has Infinity as element 255"),
                of("another map", plain, put(".quant_map", f32(new float[16])),
                        ".quant_map says that code 0 is 0.0, but in nf4 it is -1.0"),
                of("blocks of 128", plain, state("nf4", "\"blocksize\":64", "\"blocksize\":128"),
                        "has the blocksize 128, but only 64"),
                of("no blocks", plain, state("nf4", "\"blocksize\":64,", ""), "blocksize", "only 64"),
                of("nested blocks", nested, state("nf4", "\"nested_blocksize\":256", "\"nested_blocksize\":128"),
                        "nested_blocksize 128, but only 256"),
                of("offset NaN", nested, state("nf4", "\"nested_offset\":", "\"nested_offset\":\"NaN\",\"x\":"),
                        "nested_offset \"NaN\""),
                of("type", plain, state("nf4", "nf4", "fp4"), "has the quant_type 'fp4'"),
                of("unknown type", plain, tensors -> tensors.put(UP + ".quant_state.bitsandbytes__af4",
                        tensors.remove(UP + state)),
                        "unknown type 'af4'", "nf4, fp4"),
                of("shape", plain, state("nf4", "[160,64]", "[64,160]"),
                        "has the shape [64,160], but config.json asks for [160, 64]"),
                of("no JSON", plain, state("nf4", "{", "["), "is no JSON"),
                of("quantized head", plain, tensors -> tensors.put("lm_head.weight.quant_state.bitsandbytes__nf4",
                        u8(new byte[2], 2)),
                        "lm_head.weight is quantized where a dense one is needed"));
    }

    @ParameterizedTest(name = "{0} {2}")
    @MethodSource
    void broken(Quantization quantization, Break change, List<String> words) throws IOException {
        Path file = saved("llama", quantization, null).resolve("model.safetensors");
        Path changed = folder.resolve("changed");
        try (TensorOps ops = new ReferenceOps(); Safetensors open = Safetensors.open(file)) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            open.names().forEach(name -> tensors.put(name, open.tensor(name)));
            change.accept(tensors);
            new SafetensorsWriter(ops, null).write(changed, tensors);
        }
        Files.move(changed, file, StandardCopyOption.REPLACE_EXISTING);
        refused(folder, LoadOptions.defaults(), words.toArray(String[]::new));
    }

    @ParameterizedTest
    @CsvSource({"SCB, 3, lacks tensor model.layers.1.mlp.up_proj.SCB", "SCB, 0, up_proj.SCB has NaN as element 0",
        "weight_format, 0, up_proj.weight_format says that the codes are not row after row"})
    void brokenRows(String part, int change, String words) throws IOException {
        Path file = saved("llama", Quantization.INT8, null).resolve("model.safetensors");
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        int data = 8 + (int) bytes.getLong(0);
        String header = new String(bytes.array(), 8, data - 8, StandardCharsets.UTF_8);
        String name = UP.replace("weight", part);
        if (change > 0) {
            bytes.put(8 + header.indexOf(name), name.replace("SCB", "SCX").getBytes(StandardCharsets.UTF_8));
        } else {
            int at = data + new ObjectMapper().readTree(header).get(name).get("data_offsets").get(0).asInt();
            if (part.equals("SCB")) bytes.putFloat(at, Float.NaN);
            else bytes.put(at, (byte) 2);
        }
        Files.write(file, bytes.array());
        refused(folder, LoadOptions.defaults(), words);
    }

    @Test
    void otherMethodsAreRefused() throws IOException {
        Path dir = Fixtures.copy("llama", folder);
        String text = Files.readString(dir.resolve("config.json")).strip();
        for (String[] wrong : new String[][] {{"{\"quant_method\": \"gptq\", \"bits\": 4}", "quant_method 'gptq'"},
            {"{\"load_in_4bit\": true, \"bnb_4bit_quant_type\": \"int4\"}", "bnb_4bit_quant_type 'int4' is unknown"},
            {"{\"load_in_4bit\": true, \"load_in_8bit\": true}", "exclude each other"}, {"[]", "must be an object"},
            {"{\"load_in_4bit\": true, \"llm_int8_skip_modules\": [1]}", "must be a list of names"}}) {
            String changed = text.substring(0, text.length() - 1) + ", \"quantization_config\": " + wrong[0] + "}";
            Files.writeString(dir.resolve("config.json"), changed);
            refused(dir, LoadOptions.defaults(), wrong[1]);
        }
    }
}
