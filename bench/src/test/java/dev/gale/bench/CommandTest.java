package dev.gale.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.bench.report.BenchCsv;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

/// `gale bench` from its command line on.
class CommandTest {
    private record Run(int exit, String out, String err) {
        static Run of(String... args) {
            StringWriter out = new StringWriter();
            StringWriter err = new StringWriter();
            CommandLine line = Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
            return new Run(line.execute(args), out.toString(), err.toString());
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            step --shape 2b                     | unknown --shape '2b'; did you mean '1b'? \
            (known: 135m, 1b, 8b, 70b, mixtral-8x7b, qwen3-30b-a3b)
            step --batch 0                      | --batch must be at least 1, got 0
            step --seq -3                       | --seq must be at least 1, got -3
            step --seq many                     | Invalid value for option '--seq': 'many' is not an int
            step --seq 1000000 --batch 1000     | --batch 1000 of --seq 1000000 tokens is too much
            step --steps 0                      | --steps must be at least 1, got 0
            step --steps 3 --warmup 3           | --warmup must be at least 0 and less than --steps 3, got 3
            step --layers 0                     | --layers must be at least 1, got 0
            step --checkpointing all            | expected one of [NONE, LAYER, SELECTIVE] (case-insensitive) but was 'all'
            step --peak-tflops 0                | --peak-tflops must be above 0, got 0.0
            step --peak-tbs NaN                 | --peak-tbs must be above 0, got NaN
            step --device gpu:x                 | --device gpu:x: give auto, cpu, gpu or gpu:N
            step --device cpu --profile         | --profile needs a GPU
            step --batches 2                    | unknown option '--batches'; did you mean '--batch'?
            kernels (                           | '(' is no regular expression: Unclosed group
            kernels a b                         | unknown option 'b'
            parity --device cpu                 | parity compares a device with the CPU: give --device gpu
            parity --hidden 100 --head 64       | --hidden 100 is no multiple of --head 64
            parity --seq 1                      | --seq must be at least 2, got 1
            parity --vocab 8                    | --vocab must be at least 32, got 8
            steps                               | unknown command 'steps'; did you mean 'step'?""")
    void badInputGetsOneSentence(String line, String sentence) {
        Run run = Run.of(line.split(" "));
        assertEquals(2, run.exit(), run.err());
        assertEquals(1, run.err().lines().count(), run.err());
        assertTrue(run.err().startsWith("gale: ") && run.err().contains(sentence), run.err());
    }

    @Test
    void aStepOnTheCpuLeavesItsRows(@TempDir Path dir) {
        Run run = Run.of("step", "--device", "cpu", "--shape", "135m", "--layers", "1", "--batch", "2", "--seq", "8",
                "--steps", "2", "--checkpointing", "layer", "--results", dir.toString());
        assertEquals(0, run.exit(), run.err());
        assertTrue(run.out().startsWith("step ") && run.out().contains("fastest of 1"), run.out());
        List<BenchCsv.Row> rows = new BenchCsv(dir.resolve("cpu.csv")).rows();
        assertEquals(List.of("tokens/s", "s", "MB peak", "MB planned"), rows.stream().map(BenchCsv.Row::unit).toList());
        assertEquals("llama-135m lora-r16 2x8 layers 1 checkpointing", rows.getFirst().shape());
        assertFalse(Files.exists(dir.resolve("gpu.csv")));
    }
}
