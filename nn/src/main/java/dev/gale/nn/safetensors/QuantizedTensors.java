package dev.gale.nn.safetensors;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.quant.Dynamic8;
import dev.gale.tensor.quant.Fp4;
import dev.gale.tensor.quant.Nf4;
import dev.gale.tensor.quant.Quantization;
import dev.gale.tensor.quant.Scales;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Set;
import java.util.function.IntToDoubleFunction;

/// Reads weights of few bits as bitsandbytes puts them into a file, without changing a bit of them. A module P has
///
/// - 4 bits: codes `P.weight`, bytes of any dtype; `P.weight.absmax`; `P.weight.quant_map`; with double quantization
///   `P.weight.nested_absmax` and `.nested_quant_map`; the rest as JSON in `P.weight.quant_state.bitsandbytes__nf4` or `__fp4`;
/// - 8 bits: codes `P.weight` I8 `[out, in]`, absmax of the rows `P.SCB`, perhaps `P.weight_format` 0, which says row-major.
///
/// Source: bitsandbytes, `functional.py`, `QuantState`, and `nn/modules.py`, `Linear8bitLt`.
public final class QuantizedTensors {
    static final String STATE = ".quant_state.bitsandbytes__";
    static final String ABSMAX = ".absmax";
    static final String MAP = ".quant_map";
    static final String NESTED_ABSMAX = ".nested_absmax";
    static final String NESTED_MAP = ".nested_quant_map";
    static final String ROW_ABSMAX = "SCB";
    static final String ROW_FORMAT = "weight_format";

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final float MAP_TOLERANCE = 1e-6f;
    private static final String REMEDY = "download the file again, or quantize the model again";

    private final WeightFiles files;
    private final String name;
    private final Shape shape;

    private QuantizedTensors(WeightFiles files, String name, Shape shape) {
        this.files = files;
        this.name = name;
        this.shape = shape;
    }

    /// Whether the files have more than numbers for a weight: it is quantized.
    public static boolean isQuantized(WeightFiles files, String name) {
        boolean rows = name.endsWith(".weight") && files.has(inModule(name, ROW_ABSMAX));
        return rows || files.state(name).isPresent();
    }

    /// Whether a tensor is one of the weights, or a part of one.
    public static boolean belongsTo(Set<String> weights, String tensor) {
        int end = tensor.indexOf(".weight.");
        String weight = end >= 0 ? tensor.substring(0, end + ".weight".length())
                : tensor.endsWith("." + ROW_ABSMAX) || tensor.endsWith("." + ROW_FORMAT) ? inModule(tensor, "weight") : tensor;
        return weights.contains(weight);
    }

    /// The weight of that name and shape, in host memory, its codes in the mapped file.
    ///
    /// @param dtype I8, or another one for 4 bits, whose type the file says
    /// Throws: InputException naming file and tensor when a part is missing or is not as it should be.
    public static Tensor read(WeightFiles files, String name, Shape shape, DType dtype) {
        QuantizedTensors weight = new QuantizedTensors(files, name, shape);
        return dtype == DType.I8 ? weight.eightBits() : weight.fourBits();
    }

    /// The name of a tensor beside a weight in its module.
    static String inModule(String weight, String other) {
        return weight.substring(0, weight.lastIndexOf('.') + 1) + other;
    }

    private Tensor eightBits() {
        MemorySegment codes = part(name, FileDType.I8, shape.size(), "codes");
        String format = inModule(name, ROW_FORMAT);
        if (files.has(format) && part(format, FileDType.U8, 1, "a format").get(ValueLayout.JAVA_BYTE, 0) != 0) {
            throw bad(format, "says that the codes are not row after row; save the model with a newer bitsandbytes");
        }
        String absmax = inModule(name, ROW_ABSMAX);
        MemorySegment values = finite(absmax, part(absmax, FileDType.F32, shape.rows(), "the absmax of each row"));
        Scales scales = new Scales(host(absmax, DType.F32, shape.rows(), values), null);
        return new Tensor(name, DType.I8, shape, new Storage.Host(codes), scales);
    }

    private Tensor fourBits() {
        if (shape.size() % Nf4.BLOCK != 0) {
            throw bad(name, ("is quantized, but blocks of %d do not divide the %d elements of %s; name its module in "
                    + "llm_int8_skip_modules").formatted(Nf4.BLOCK, shape.size(), shape));
        }
        DType dtype = type();
        JsonNode state = state(name + STATE + typeName(dtype), dtype);
        long bytes = shape.size() / 2;
        WeightFiles.Stored stored = files.stored(name);
        if (stored.bytes().byteSize() != bytes) {
            throw bad(name, "has %d bytes of codes, but %s needs %d; %s"
                    .formatted(stored.bytes().byteSize(), shape, bytes, REMEDY));
        }
        int blocks = Math.toIntExact(shape.size() / Nf4.BLOCK);
        boolean nested = files.has(name + NESTED_ABSMAX);
        if (!nested && state.hasNonNull("nested_offset")) throw missing(name + NESTED_ABSMAX);
        if (nested && !state.hasNonNull("nested_offset")) {
            throw bad(name + STATE + typeName(dtype), "has no nested_offset, although there is a nested_absmax; " + REMEDY);
        }
        requireMap(dtype);
        Scales scales = nested ? nested(blocks, state) : plain(blocks);
        return new Tensor(name, dtype, shape, new Storage.Host(stored.bytes()), scales);
    }

    /// What the name of the state says.
    private DType type() {
        String prefix = name + STATE;
        String type = files.state(name).orElseThrow(() -> missing(prefix + "nf4"));
        return switch (type) {
            case "nf4" -> DType.NF4;
            case "fp4" -> DType.FP4;
            default -> throw bad(prefix + type, "is of the unknown type '%s'; known are nf4, fp4".formatted(type));
        };
    }

    static String typeName(DType dtype) {
        return dtype == DType.NF4 ? "nf4" : "fp4";
    }

    private JsonNode state(String of, DType dtype) {
        JsonNode state;
        try {
            state = JSON.readTree(part(of, FileDType.U8, -1, "JSON").toArray(ValueLayout.JAVA_BYTE));
        } catch (IOException e) {
            throw bad(of, "is no JSON; " + REMEDY);
        }
        String type = state.path("quant_type").asText();
        if (!type.equals(typeName(dtype))) throw bad(of, "has the quant_type '%s'; %s".formatted(type, REMEDY));
        requireNumber(of, state, "blocksize", Nf4.BLOCK);
        if (state.hasNonNull("nested_offset")) requireNumber(of, state, "nested_blocksize", Nf4.NESTED_BLOCK);
        JsonNode dims = state.path("shape");
        if (!dims.equals(JSON.valueToTree(shape.toArray()))) {
            throw bad(of, "has the shape %s, but config.json asks for %s; use the config.json that belongs to these weights"
                    .formatted(dims, shape));
        }
        return state;
    }

    private void requireNumber(String of, JsonNode state, String field, int needed) {
        if (state.path(field).isIntegralNumber() && state.get(field).asInt() == needed) return;
        throw bad(of, "has the %s %s, but only %d can be read; quantize the model again with that"
                .formatted(field, state.path(field), needed));
    }

    private void requireMap(DType dtype) {
        MemorySegment map = part(name + MAP, FileDType.F32, 16, "the values of the codes");
        IntToDoubleFunction value = code -> dtype == DType.NF4 ? Nf4.value(code) : Fp4.value(code);
        for (int code = 0; code < 16; code++) {
            float given = map.get(FLOAT, code * 4L);
            if (Math.abs(given - value.applyAsDouble(code)) <= MAP_TOLERANCE) continue;
            throw bad(name + MAP, "says that code %d is %s, but in %s it is %s; %s".formatted(code, given, typeName(dtype),
                    (float) value.applyAsDouble(code), REMEDY));
        }
    }

    private Scales plain(int blocks) {
        String absmax = name + ABSMAX;
        MemorySegment values = finite(absmax, part(absmax, FileDType.F32, blocks, "the absmax of each block"));
        return new Scales(host(absmax, DType.F32, blocks, values), null);
    }

    private Scales nested(int blocks, JsonNode state) {
        String absmax = name + ABSMAX;
        Tensor codes = host(absmax, DType.U8, blocks, part(absmax, FileDType.U8, blocks, "the code of each block's absmax"));
        int factors = Math.ceilDiv(blocks, Nf4.NESTED_BLOCK);
        MemorySegment factor = finite(name + NESTED_ABSMAX, part(name + NESTED_ABSMAX, FileDType.F32, factors,
                "a number for each %d blocks".formatted(Nf4.NESTED_BLOCK)));
        MemorySegment map = finite(name + NESTED_MAP, part(name + NESTED_MAP, FileDType.F32, Dynamic8.CODES,
                "the values of absmax's codes"));
        JsonNode given = state.get("nested_offset");
        float offset = given.isNumber() ? (float) given.asDouble() : Float.NaN;
        if (!Float.isFinite(offset)) throw bad(name, "has the nested_offset %s; %s".formatted(given, REMEDY));
        MemorySegment all = Arena.ofAuto().allocate(Quantization.nestedSize(blocks) * 4L, 64);
        MemorySegment.copy(map, 0, all, 0, map.byteSize());
        all.set(FLOAT, Scales.OFFSET * 4L, offset);
        MemorySegment.copy(factor, 0, all, Scales.FACTORS * 4L, factor.byteSize());
        return new Scales(codes, host(name + ".nested", DType.F32, Quantization.nestedSize(blocks), all));
    }

    private static Tensor host(String name, DType dtype, int size, MemorySegment bytes) {
        return new Tensor(name, dtype, Shape.of(size), new Storage.Host(bytes));
    }

    /// The bytes of a tensor that belongs to this weight.
    ///
    /// @param size number of elements, -1 for any
    private MemorySegment part(String of, FileDType dtype, long size, String what) {
        if (!files.has(of)) throw missing(of);
        WeightFiles.Stored stored = files.stored(of);
        boolean fits = stored.dtype() == dtype && (size < 0 || stored.shape().size() == size);
        if (fits) return stored.bytes();
        throw bad(of, "is %s %s, but should hold %s, %s%s; %s".formatted(stored.dtype(), stored.shape(), what,
                size < 0 ? "" : size + " of ", dtype, REMEDY));
    }

    private MemorySegment finite(String of, MemorySegment floats) {
        for (long at = 0; at < floats.byteSize(); at += 4) {
            float value = floats.get(FLOAT, at);
            if (Float.isFinite(value)) continue;
            throw bad(of, "has %s as element %d; the weights are broken: %s".formatted(value, at / 4, REMEDY));
        }
        return floats;
    }

    private InputException missing(String of) {
        return new InputException(("%s lacks tensor %s of the quantized weight %s; %s, or name its module in "
                + "llm_int8_skip_modules of config.json if it is dense").formatted(files.place(name), of, name, REMEDY));
    }

    private InputException bad(String of, String problem) {
        return new InputException("%s: tensor %s %s".formatted(files.place(of), of, problem));
    }
}
