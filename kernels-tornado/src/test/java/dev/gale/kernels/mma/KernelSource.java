package dev.gale.kernels.mma;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;

/// The source of a kernel, written line by line: lines that end with an open brace indent those after them, until one begins
/// with the closing one.
abstract class KernelSource {
    private static final String FOLDER = "kernels-tornado/src/main/java/dev/gale/kernels/mma";

    private final StringBuilder text = new StringBuilder();
    private int depth;

    /// Writes the class of every variant.
    ///
    /// @param args the folder of the package's sources, from the root of the project if none is given
    static <V> void write(String[] args, List<V> variants, Function<V, String> name, Function<V, String> source)
            throws IOException {
        Path folder = Path.of(args.length > 0 ? args[0] : FOLDER);
        for (V variant : variants) Files.writeString(folder.resolve(name.apply(variant) + ".java"), source.apply(variant));
    }

    final void line(String format, Object... arguments) {
        String line = format.formatted(arguments);
        if (line.startsWith("}")) depth--;
        if (!line.isEmpty()) text.append("    ".repeat(depth)).append(line);
        text.append('\n');
        if (line.endsWith("{")) depth++;
    }

    final String text() {
        return text.toString();
    }

    /// What is added to an index, nothing for 0.
    static String plus(int distance) {
        return distance == 0 ? "" : " + " + distance;
    }

    static int log(int powerOfTwo) {
        return Integer.numberOfTrailingZeros(powerOfTwo);
    }
}
