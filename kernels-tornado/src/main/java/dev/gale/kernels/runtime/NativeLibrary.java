package dev.gale.kernels.runtime;

import dev.gale.tensor.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// A library of C functions that answer 0 or the number of an error.
final class NativeLibrary {
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
    static final MemoryLayout ADDRESS = ValueLayout.ADDRESS;

    private final String name;
    private final SymbolLookup symbols;

    private NativeLibrary(String name, SymbolLookup symbols) {
        this.name = name;
        this.symbols = symbols;
    }

    /// The first of these files that can be opened, if one can.
    static Optional<NativeLibrary> open(List<String> files) {
        for (String file : files) {
            try {
                return Optional.of(new NativeLibrary(file, SymbolLookup.libraryLookup(file, Arena.global())));
            } catch (IllegalArgumentException e) {
                continue;                                          // of another version, or not there
            }
        }
        return Optional.empty();
    }

    /// Throws: DeviceException when the library has none of that name.
    Function function(String function, MemoryLayout... parameters) {
        MemorySegment symbol = symbols.find(function).orElseThrow(() -> new DeviceException(name + " has no " + function));
        return new Function(function, Linker.nativeLinker().downcallHandle(symbol, FunctionDescriptor.of(INT, parameters)));
    }

    /// A function that answers 0 or an error.
    record Function(String name, MethodHandle handle) {
        /// Throws: DeviceException when it answers anything but 0.
        void call(Object... arguments) {
            int answer;
            try {
                answer = (int) handle.invokeWithArguments(arguments);
            } catch (Throwable e) {
                throw new IllegalStateException(name + " was called with " + Arrays.toString(arguments), e);
            }
            if (answer != 0) throw new DeviceException("%s failed with error %d".formatted(name, answer));
        }

        /// What it writes where its first argument points to.
        long written(Object... rest) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment place = arena.allocate(LONG);
                Object[] arguments = new Object[rest.length + 1];
                arguments[0] = place;
                System.arraycopy(rest, 0, arguments, 1, rest.length);
                call(arguments);
                return place.get(LONG, 0);
            }
        }
    }
}
