package dev.gale.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LrScheduleTest {

    /// One line of the golden file.
    record Case(String name, double learningRate, long warmup, long total, Map<String, Object> options,
                double[] metrics, double[] rates) {
        static Case parse(String line) {
            String[] fields = line.split("\\|", -1);
            for (int i = 0; i < fields.length; i++) fields[i] = fields[i].strip();
            return new Case(fields[0], Double.parseDouble(fields[1]), Long.parseLong(fields[2]),
                    Long.parseLong(fields[3]), options(fields[4]), numbers(fields[5]), numbers(fields[6]));
        }

        private static Map<String, Object> options(String text) {
            Map<String, Object> options = new LinkedHashMap<>();
            if (text.isEmpty()) return options;
            for (String option : text.split(",")) {
                String[] pair = option.split("=");
                options.put(pair[0], value(pair[1]));
            }
            return options;
        }

        private static Object value(String text) {
            if (text.equals("true")) return true;
            return text.matches("[0-9.e-]+") ? Double.valueOf(text) : text;
        }

        private static double[] numbers(String text) {
            if (text.isEmpty()) return new double[0];
            return Arrays.stream(text.split(" ")).mapToDouble(Double::parseDouble).toArray();
        }

        LrSchedule schedule() {
            return LrSchedule.of(name, learningRate, warmup, total, options);
        }

        @Override
        public String toString() {
            return name + " " + options;
        }
    }

    static Stream<Case> cases() {
        try (var golden = LrScheduleTest.class.getResourceAsStream("/fixtures/schedules.txt")) {
            return new String(golden.readAllBytes(), StandardCharsets.UTF_8).lines()
                    .filter(line -> !line.startsWith("#")).map(Case::parse);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Stream<Case> metricCases() {
        return cases().filter(c -> c.metrics.length > 0);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void equalsTransformers(Case c) {
        LrSchedule schedule = c.schedule();
        boolean onMetric = c.metrics.length > 0;
        assertTrue(c.rates.length >= 4);
        for (int i = 0; i < c.rates.length; i++) {
            if (onMetric) schedule.observe(c.metrics[i]);
            assertEquals(c.rates[i], schedule.at(i), 1e-15 * 1e3 * c.learningRate, c + " at " + i);
        }
    }

    @Test
    void everyScheduleHasAGoldenCase() {
        Set<String> tested = cases().map(Case::name).collect(Collectors.toSet());
        assertEquals(new HashSet<>(LrSchedule.names()), tested);
    }

    @ParameterizedTest
    @MethodSource("metricCases")
    void stateGoesOnExactlyInAFreshSchedule(Case c) {
        LrSchedule whole = c.schedule();
        LrSchedule first = c.schedule();
        for (int i = 0; i < c.metrics.length; i++) {
            whole.observe(c.metrics[i]);
            first.observe(c.metrics[i]);
            LrSchedule resumed = c.schedule();
            assertTrue(first.state().values().stream().allMatch(Double::isFinite), first.state().toString());
            resumed.restore(first.state());
            assertEquals(whole.state(), resumed.state());
            assertEquals(whole.at(i), resumed.at(i));
            first = resumed;
        }
    }

    @Test
    void curvesHaveNoState() {
        assertEquals(Map.of(), LrSchedule.of("cosine", 1e-3, 0, 10, Map.of()).state());
    }

    @Test
    void unknownNameSuggestsTheNearest() {
        String message = refusal("cosin", Map.of());
        assertTrue(message.contains("did you mean 'cosine'?"), message);
        assertTrue(message.contains("warmup_stable_decay"), message);
    }

    @Test
    void unknownOptionSuggestsTheNearest() {
        String message = refusal("polynomial", Map.of("pwoer", 2));
        assertTrue(message.contains("'pwoer'; did you mean 'power'?"), message);
        assertTrue(message.contains("lr_end"), message);
        assertEquals("linear takes no lr_scheduler_kwargs, but 'power' is given",
                refusal("linear", Map.of("power", 2)));
    }

    @Test
    void wrongValuesAreRefusedByName() {
        assertEquals("cosine: num_cycles must be a number, got many", refusal("cosine", Map.of("num_cycles", "many")));
        assertTrue(refusal("cosine_with_min_lr", Map.of()).contains("exactly one of min_lr and min_lr_rate"));
        assertTrue(refusal("cosine_with_min_lr", Map.of("min_lr", 0, "min_lr_rate", 0)).contains("exactly one of"));
        assertTrue(refusal("warmup_stable_decay", Map.of()).contains("num_decay_steps"));
        assertTrue(refusal("warmup_stable_decay", Map.of("num_decay_steps", 2.5)).contains("whole number"));
        assertTrue(refusal("warmup_stable_decay", Map.of("num_decay_steps", 2, "decay_type", "x")).contains("1-sqrt"));
        assertTrue(refusal("polynomial", Map.of("lr_end", 1)).contains("smaller than learning_rate"));
        assertTrue(refusal("reduce_lr_on_plateau", Map.of("factor", 1)).contains("factor must be in (0, 1)"));
        assertTrue(refusal("greedy", Map.of("smooth", 1)).contains("true or false"));
    }

    private static String refusal(String name, Map<String, ?> options) {
        return assertThrows(InputException.class, () -> LrSchedule.of(name, 1e-3, 2, 10, options)).getMessage();
    }

    @Test
    void learningRateMustBePositive() {
        for (double lr : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
            assertThrows(InputException.class, () -> LrSchedule.of("linear", lr, 0, 10, Map.of()));
        }
    }
}
