package dev.gale.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// What a kernel must keep to for TornadoVM's sake and no run on the JVM can show.
class KernelRulesTest {
    private static final Path SOURCES = Path.of("src/main/java/dev/gale/kernels");
    private static final Pattern KERNEL = Pattern.compile("public static void (\\w+)\\(KernelContext(.*?)\\n    }\\n",
            Pattern.DOTALL);

    /// Name and text of every kernel.
    private static List<String[]> kernels() throws IOException {
        List<String[]> kernels = new ArrayList<>();
        try (Stream<Path> files = Files.walk(SOURCES)) {
            for (Path file : files.filter(path -> path.toString().endsWith(".java")).sorted().toList()) {
                Matcher kernel = KERNEL.matcher(Files.readString(file));
                while (kernel.find()) kernels.add(new String[] {kernel.group(1), kernel.group(2)});
            }
        }
        assertTrue(kernels.size() > 20, () -> "only " + kernels.size() + " kernels found");
        return kernels;
    }

    /// See `Reduce`: without a private array, reads of local memory leave their branches and barriers are dropped.
    @Test
    void kernelsWithLocalMemoryHaveAPrivateArray() throws IOException {
        List<String> without = kernels().stream()
                .filter(kernel -> kernel[1].contains("LocalArray(") && !kernel[1].contains("Reduce.")
                        && !kernel[1].contains("new float[") && !kernel[1].contains("new int["))
                .map(kernel -> kernel[0]).toList();
        assertEquals(List.of(), without);
    }

    /// See `Reduce`: as an argument, local memory is taken for a Java array. The loads of the matrix unit are no calls.
    @Test
    void localMemoryIsNotPassedOn() throws IOException {
        Pattern local = Pattern.compile("(\\w+) = context\\.allocate\\w*LocalArray\\(");
        List<String> passed = new ArrayList<>();
        for (String[] kernel : kernels()) {
            String body = kernel[1].replaceAll("context\\.mmaLoad[AB]\\(\\w+", "");
            Matcher array = local.matcher(body);
            while (array.find()) {
                if (body.matches("(?s).*[(,] ?" + array.group(1) + "[,)].*")) passed.add(kernel[0] + ": " + array.group(1));
            }
        }
        assertEquals(List.of(), passed);
    }

    /// TornadoVM hands the names of parameters on to the compilers of C.
    @Test
    void parametersHaveNoNamesOfC() throws IOException {
        Pattern taken = Pattern.compile("\\b(signed|unsigned|register|union|struct|typedef|sizeof|extern|auto|inline|restrict"
                + "|half|kernel|global|local|constant|uchar|ushort|uint|ulong)(?=[,)])");
        assertEquals(List.of(), kernels().stream()
                .filter(kernel -> taken.matcher(kernel[1].substring(0, kernel[1].indexOf(')') + 1)).find())
                .map(kernel -> kernel[0]).toList());
    }

    /// `TaskGraph.task` takes no more.
    @Test
    void kernelsHaveAtMostTwentyParameters() throws IOException {
        assertEquals(List.of(), kernels().stream()
                .filter(kernel -> kernel[1].substring(0, kernel[1].indexOf(')')).split(",").length > 20)
                .map(kernel -> kernel[0]).toList());
    }

    /// The matrix unit's loads want addresses of 16 bytes, and local arrays lie one behind the other in any order.
    @Test
    void localArraysOfTheMatrixUnitAreWholeNumbersOf16Bytes() throws IOException {
        Pattern array = Pattern.compile("allocate(?:Int|Float)LocalArray\\((\\d+)\\)");
        List<String> odd = new ArrayList<>();
        for (String[] kernel : kernels()) {
            if (!kernel[1].contains(".mmaLoad")) continue;
            Matcher size = array.matcher(kernel[1]);
            while (size.find()) if (Integer.parseInt(size.group(1)) % 4 != 0) odd.add(kernel[0] + ": " + size.group(1));
        }
        assertEquals(List.of(), odd);
    }

    /// TornadoVM 5.2.0 shifts with the sign where Java's `>>>` does not; a mask after it, which Graal takes for superfluous
    /// when it is as wide as what is left, does not help. The halves of a long are cast to int, which is safe.
    @Test
    void kernelsDoNotShiftUnsigned() throws IOException {
        Pattern shift = Pattern.compile(">>>(?! 32\\))");
        List<String> found = new ArrayList<>();
        try (Stream<Path> files = Files.walk(SOURCES)) {
            for (Path file : files.filter(path -> path.toString().endsWith(".java")).sorted().toList()) {
                String code = Files.readString(file).replaceAll("(?m)///?.*$", "");
                if (shift.matcher(code).find()) found.add(file.getFileName().toString());
            }
        }
        assertEquals(List.of(), found);
    }

    /// The views of a chunk have one element, whatever the chunk's size.
    @Test
    void kernelsDoNotAskViewsForTheirSize() throws IOException {
        assertEquals(List.of(), kernels().stream().filter(kernel -> kernel[1].contains(".getSize("))
                .map(kernel -> kernel[0]).toList());
    }
}
