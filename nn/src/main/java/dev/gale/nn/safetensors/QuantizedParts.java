package dev.gale.nn.safetensors;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.HfConfig;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.quant.Dynamic8;
import dev.gale.tensor.quant.Fp4;
import dev.gale.tensor.quant.Nf4;
import dev.gale.tensor.quant.Scales;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/// Takes a weight of few bits apart into the plain tensors that `QuantizedTensors` reads, most of them windows into its memory.
final class QuantizedParts {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private QuantizedParts() {}

    /// Tensors by name.
    ///
    /// @param tensor in host memory
    /// @param dense  dtype that readers who make it dense shall give it
    static Map<String, Tensor> of(String name, Tensor tensor, DType dense) {
        return tensor.dtype() == DType.I8 ? eightBits(name, tensor) : fourBits(name, tensor, dense);
    }

    private static Map<String, Tensor> eightBits(String name, Tensor tensor) {
        Map<String, Tensor> parts = new LinkedHashMap<>();
        parts.put(name, tensor);
        parts.put(QuantizedTensors.inModule(name, QuantizedTensors.ROW_ABSMAX), tensor.scales().absmax());
        String format = QuantizedTensors.inModule(name, QuantizedTensors.ROW_FORMAT);
        parts.put(format, new Tensor(format, DType.U8, Shape.of(), new Storage.Host(copy(MemorySegment.ofArray(new byte[1])))));
        return parts;
    }

    private static Map<String, Tensor> fourBits(String name, Tensor tensor, DType dense) {
        Scales scales = tensor.scales();
        String type = QuantizedTensors.typeName(tensor.dtype());
        Map<String, Tensor> parts = new LinkedHashMap<>();
        parts.put(name, new Tensor(name, DType.U8, Shape.of(Math.toIntExact(tensor.byteSize()), 1), tensor.storage()));
        parts.put(name + QuantizedTensors.ABSMAX, scales.absmax());
        String map = name + QuantizedTensors.MAP;
        parts.put(map, floats(map, copy(MemorySegment.ofArray(values(tensor.dtype())))));
        ObjectNode state = JSON.createObjectNode().put("quant_type", type).put("blocksize", Nf4.BLOCK);
        state.put("dtype", HfConfig.dtypeName(dense));
        Arrays.stream(tensor.shape().toArray()).forEach(state.putArray("shape")::add);
        if (scales.nested() != null) nested(name, scales.nested().segment(), state, parts);
        String key = name + QuantizedTensors.STATE + type;
        parts.put(key, bytes(key, copy(MemorySegment.ofArray(state.toString().getBytes(StandardCharsets.UTF_8)))));
        return parts;
    }

    private static void nested(String name, MemorySegment nested, ObjectNode state, Map<String, Tensor> parts) {
        state.put("nested_blocksize", Nf4.NESTED_BLOCK).put("nested_dtype", HfConfig.dtypeName(DType.F32));
        state.put("nested_offset", (double) nested.get(FLOAT, Scales.OFFSET * 4L));
        String absmax = name + QuantizedTensors.NESTED_ABSMAX;
        String map = name + QuantizedTensors.NESTED_MAP;
        parts.put(absmax, floats(absmax, nested.asSlice(Scales.FACTORS * 4L)));
        parts.put(map, floats(map, nested.asSlice(0, Dynamic8.CODES * 4L)));
    }

    /// Outside of the heap, where a file takes its bytes from.
    private static MemorySegment copy(MemorySegment bytes) {
        return Arena.ofAuto().allocate(bytes.byteSize(), 8).copyFrom(bytes);
    }

    private static float[] values(DType dtype) {
        float[] values = new float[16];
        for (int code = 0; code < values.length; code++) values[code] = dtype == DType.NF4 ? Nf4.value(code) : Fp4.value(code);
        return values;
    }

    private static Tensor floats(String name, MemorySegment values) {
        return new Tensor(name, DType.F32, Shape.of(Math.toIntExact(values.byteSize() / 4)), new Storage.Host(values));
    }

    private static Tensor bytes(String name, MemorySegment bytes) {
        return new Tensor(name, DType.U8, Shape.of(Math.toIntExact(bytes.byteSize())), new Storage.Host(bytes));
    }
}
