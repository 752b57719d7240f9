package dev.gale.kernels.emulator;

import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import uk.ac.manchester.tornado.api.types.HalfFloat;

/// The local arrays of a group: the n-th allocation of every thread is the same array. It begins poisoned, so that what
/// nobody wrote shows: as NaN (also as a pair of halves or bfloat16 numbers) or, with the other poison, as a number.
final class LocalMemory {
    private static final int MAX_BYTES = 48 << 10;
    private final List<Object> arrays = new ArrayList<>();
    private final boolean otherPoison;
    private int used;

    LocalMemory(boolean otherPoison) {
        this.otherPoison = otherPoison;
    }

    /// Before the first thread of a group.
    void reset() {
        used = 0;
    }

    boolean wasUsed() {
        return !arrays.isEmpty();
    }

    int poison() {
        return otherPoison ? 0x3eadbeef : 0x7fc17fc1;
    }

    /// The array of a thread's allocation `number`, counted from 0.
    Object get(int number, Class<?> element, int size) {
        if (number == arrays.size()) {
            arrays.add(Array.newInstance(element, size));
            checkSize();
        }
        Object array = arrays.get(number);
        if (array.getClass().componentType() != element || Array.getLength(array) != size) {
            throw new KernelFault("local array %d is %s for other threads, and %s[%d] for this".formatted(
                    number, describe(array), element.getSimpleName(), size));
        }
        if (number == used) {
            fill(array);
            used++;
        }
        return array;
    }

    private void checkSize() {
        long bytes = 0;
        for (Object array : arrays) bytes += (long) Array.getLength(array) * bytes(array.getClass().componentType());
        if (bytes > MAX_BYTES) {
            throw new KernelFault("%d bytes of local memory, %s; a group has %d".formatted(bytes, this, MAX_BYTES));
        }
    }

    private static int bytes(Class<?> element) {
        if (element == long.class || element == double.class) return 8;
        if (element == HalfFloat.class) return 2;
        return element == byte.class ? 1 : 4;
    }

    private void fill(Object array) {
        switch (array) {
            case float[] values -> Arrays.fill(values, otherPoison ? 1.7e30f : Float.NaN);
            case double[] values -> Arrays.fill(values, otherPoison ? 1.7e30 : Double.NaN);
            case int[] values -> Arrays.fill(values, poison());
            case long[] values -> Arrays.fill(values, (long) poison() << 32 | poison());
            case byte[] values -> Arrays.fill(values, (byte) poison());
            case HalfFloat[] values -> Arrays.fill(values, new HalfFloat((short) poison()));
            default -> throw new AssertionError("no local memory of " + array.getClass());
        }
    }

    private static String describe(Object array) {
        return array.getClass().componentType().getSimpleName() + "[" + Array.getLength(array) + "]";
    }

    @Override
    public String toString() {
        return arrays.isEmpty() ? "no local arrays" : "local arrays "
                + String.join(", ", arrays.stream().map(LocalMemory::describe).toList());
    }
}
