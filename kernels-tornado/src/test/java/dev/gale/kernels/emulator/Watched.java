package dev.gale.kernels.emulator;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/// An array that a kernel may write, and copies of its bytes.
record Watched(int position, TornadoNativeArray array) {

    static List<Watched> of(Object... arguments) {
        Set<Object> seen = Collections.newSetFromMap(new IdentityHashMap<>());
        List<Watched> arrays = new ArrayList<>();
        for (Object argument : arguments) {
            if (argument instanceof TornadoNativeArray array && seen.add(array)) {
                arrays.add(new Watched(arrays.size(), array));
            }
        }
        return arrays;
    }

    /// The arrays that a lambda captured, itself or in the fields of an object of Gale, in the order in which its body
    /// names them.
    static List<Watched> captured(Object lambda) {
        List<Object> values = new ArrayList<>();
        for (Object value : fields(lambda)) {
            values.add(value);
            if (value != null && value.getClass().getName().startsWith("dev.gale.")) values.addAll(fields(value));
        }
        return of(values.toArray());
    }

    private static List<Object> fields(Object owner) {
        List<Object> values = new ArrayList<>();
        for (Field field : owner.getClass().getDeclaredFields()) {
            try {
                field.setAccessible(true);
                values.add(field.get(owner));
            } catch (ReflectiveOperationException | RuntimeException e) {
                throw new IllegalArgumentException(
                        "cannot see the arrays of this kernel: name them with arrays(...)", e);
            }
        }
        return values;
    }

    byte[] copy() {
        return array.getSegment().toArray(ValueLayout.JAVA_BYTE);
    }

    void restore(byte[] bytes) {
        MemorySegment.copy(bytes, 0, array.getSegment(), ValueLayout.JAVA_BYTE, 0, bytes.length);
    }

    /// The first element that differs from an earlier copy; null when none does.
    /// @param tolerance relative, for floats only; 0 compares bits
    String difference(byte[] earlier, double tolerance) {
        MemorySegment before = MemorySegment.ofArray(earlier);
        long at = before.mismatch(array.getSegment());
        if (at < 0) return null;
        int bytes = array.getElementSize();
        for (int i = (int) (at / bytes); i < array.getSize(); i++) {
            String was = element(before, i);
            String is = element(array.getSegment(), i);
            if (was.equals(is) || isClose(before, i, tolerance)) continue;
            return "array %d, a %s of %d elements, has at [%d] once %s, once %s".formatted(position,
                    array.getClass().getSimpleName(), array.getSize(), i, was, is);
        }
        return null;
    }

    private boolean isClose(MemorySegment before, int i, double tolerance) {
        if (tolerance == 0 || !(array instanceof FloatArray floats)) return false;
        double was = before.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 4L * i);
        double is = floats.get(i);
        return Math.abs(was - is) <= tolerance * Math.max(Math.abs(was), Math.abs(is));
    }

    private String element(MemorySegment from, int i) {
        long at = (long) i * array.getElementSize();
        if (array instanceof FloatArray) {
            float value = from.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at);
            if (value != 0 && !Float.isNaN(value)) return Float.toString(value);
            return value + " (0x" + Integer.toHexString(Float.floatToRawIntBits(value)) + ")";
        }
        return switch (array.getElementSize()) {
            case 1 -> Byte.toString(from.get(ValueLayout.JAVA_BYTE, at));
            case 2 -> "0x" + Integer.toHexString(from.get(ValueLayout.JAVA_SHORT_UNALIGNED, at) & 0xffff);
            case 4 -> Integer.toString(from.get(ValueLayout.JAVA_INT_UNALIGNED, at));
            default -> "0x" + Long.toHexString(from.get(ValueLayout.JAVA_LONG_UNALIGNED, at));
        };
    }
}
