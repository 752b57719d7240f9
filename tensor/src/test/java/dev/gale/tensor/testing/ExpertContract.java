package dev.gale.tensor.testing;

import static dev.gale.tensor.testing.Fixtures.normal;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static java.util.Arrays.fill;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.GroupedLowRank;
import dev.gale.tensor.ops.GroupedLowRankGrads;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.RouteSpec;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// `routeForward`, `routeBackward`, `balanceForward`, `balanceBackward`, `groupByExpert`, `combineForward`, `combineBackward`,
/// `groupedMatmul`, `groupedGradient`, `groupedLinearForward`, `groupedLinearBackward`.
public interface ExpertContract extends Trials {

    private static Trial route(int rows, int count, RouteSpec spec, float[] logits) {
        float[] numbers = new float[count];
        for (int e = 0; e < count; e++) numbers[e] = e;
        return new Trial((ops, t) -> {
            Tensor experts = ops.allocate("experts", DType.I32, Shape.of(rows, spec.perToken()));
            ops.routeForward(t.get("weights"), experts, t.get("logits"), spec);
            ops.gatherRows(t.get("chosen"), t.get("numbers"), experts);
        }).output("weights", rows, spec.perToken()).output("chosen", rows * spec.perToken(), 1)
                .input("logits", logits, rows, count).input("numbers", numbers, count, 1);
    }

    @ParameterizedTest(name = "{0} tokens, {2} of {1} experts, normalized {3}, {5} of {4} groups")
    @CsvSource({"1,1,1,false,1,1", "5,4,2,true,1,1", "300,8,2,true,1,1", "33,64,6,false,1,1", "7,128,8,true,1,1",
        "40,16,3,false,4,2", "9,60,4,false,1,1"})
    default void routeChoosesTheLargest(int rows, int count, int k, boolean normalize, int groups, int used) {
        RouteSpec spec = new RouteSpec(k, normalize, 1.5f, groups, used);
        Comparison comparison = compare(route(rows, count, spec, normal(rows * count, 2, 1)));
        comparison.exact("chosen").relative("weights", (count + 24) * ULP);
    }

    @Test
    default void routeTakesTheFirstOfEqualOnes() {
        RouteSpec spec = new RouteSpec(3, false, 1f, 2, 1);
        Trial trial = route(2, 8, spec, new float[] {1, 2, 2, 1, 2, 2, 2, 2, 0, 0, 0, 0, 5, 1, 5, 1});
        compare(trial).exact("chosen");
        assertArrayEquals(new float[] {1, 2, 0, 4, 6, 5}, trial.run(freshOps()).get("chosen"));
    }

    private static int[] choices(int rows, int count, int k, long seed) {
        Random random = new Random(seed);
        int[] chosen = new int[rows * k];
        for (int t = 0; t < rows; t++) {
            List<Integer> all = new ArrayList<>();
            for (int e = 0; e < count; e++) if (e % 5 != 3 || count <= 2 * k) all.add(e);            // some have no rows
            Collections.shuffle(all, random);
            for (int s = 0; s < k; s++) chosen[t * k + s] = all.get(s);
        }
        return chosen;
    }

    @ParameterizedTest(name = "{0} tokens, {2} of {1} experts, normalized {3}")
    @CsvSource({"1,1,1,false", "5,4,2,true", "300,8,2,true", "33,64,6,false", "9,60,4,true"})
    default void routeBackwardMatches(int rows, int count, int k, boolean normalize) {
        RouteSpec spec = new RouteSpec(k, normalize, 1.5f);
        int[] chosen = choices(rows, count, k, 3);
        Trial trial = new Trial((ops, t) -> {
            Tensor experts = ops.allocate("experts", DType.I32, Shape.of(rows, k));
            ops.write(experts, chosen);
            ops.routeBackward(t.get("dLogits"), t.get("dWeights"), experts, t.get("logits"), spec);
        }).output("dLogits", rows, count).input("dWeights", uniform(rows * k, 2), rows, k)
                .input("logits", normal(rows * count, 2, 1), rows, count);
        double[] bounds = new double[rows * count];
        fill(bounds, (count + 24) * ULP * 3);                                    // |g| <= 1.5, probabilities add up to 1
        compare(trial).within("dLogits", bounds);
        trial.spreadsNaN(this::freshOps);
    }

    /// Where a token's keys end, and 0 for rows that are none: the last ones, and one between.
    private static int[] present(int rows) {
        int[] present = new int[rows];
        for (int t = 0; t < rows; t++) present[t] = t == rows / 2 || t > rows - rows / 5 ? 0 : t + 1;
        return present;
    }

    private static Tensor chosen(TensorOps ops, int rows, int k, int[] choices) {
        Tensor experts = ops.allocate("experts", DType.I32, Shape.of(rows, k));
        ops.write(experts, choices);
        return experts;
    }

    @ParameterizedTest(name = "{0} tokens, {2} of {1} experts, logits {3}")
    @CsvSource({"0,4,2,F32", "3,1,1,F32", "5,4,2,F32", "300,8,2,BF16", "700,130,6,F32", "33,300,4,F16"})
    default void balanceAddsUpChoicesAndProbabilities(int rows, int count, int k, DType dtype) {
        int[] choices = choices(rows, count, k, 3);
        float[] before = new float[2 * count];
        for (int i = 0; i < before.length; i++) before[i] = i % 3;
        Trial trial = new Trial((ops, t) -> {
            Tensor logits = ops.allocate("logits", dtype, Shape.of(rows, count));
            ops.copy(logits, t.get("logits"));
            ops.balanceForward(t.get("sums"), chosen(ops, rows, k, choices), logits, t.get("present"));
        }).inout("sums", before, 2, count).input("logits", normal(rows * count, 2, 1), rows, count)
                .ints("present", present(rows));
        Comparison comparison = compare(trial).relative("sums", (rows + count + 24) * ULP);
        float[] counts = before.clone();
        for (int i = 0; i < choices.length; i++) if (present(rows)[i / k] > 0) counts[choices[i]]++;
        for (int e = 0; e < count; e++) assertEquals(counts[e], comparison.got().get("sums")[e]);
        if (rows > 2) trial.spreadsNaN(this::freshOps);
    }

    @ParameterizedTest(name = "{0} tokens, {2} of {1} experts, accumulate {3}")
    @CsvSource({"0,4,2,false", "3,1,1,false", "5,4,2,true", "300,8,2,false", "33,64,6,true", "9,300,4,false"})
    default void balanceBackwardMatches(int rows, int count, int k, boolean accumulate) {
        float[] sums = new float[2 * count];
        for (int e = 0; e < count; e++) sums[e] = 7 * e % 5 * k;                  // of some, none
        sums[0] += k;
        Trial trial = new Trial((ops, t) -> ops.balanceBackward(t.get("dLogits"), t.get("sums"), t.get("logits"),
                t.get("present"), t.get("factor"), k, accumulate)).input("sums", sums, 2, count)
                .input("logits", normal(rows * count, 2, 1), rows, count).ints("present", present(rows))
                .input("factor", new float[] {30}, 1);
        Trial whole = accumulate ? trial.inout("dLogits", uniform(rows * count, 4), rows, count)
                : trial.output("dLogits", rows, count);
        double n = 0;
        for (int e = 0; e < count; e++) n += sums[e] / k;
        double[] bounds = new double[rows * count];
        double largest = 30 * count * 5 * k / (n * n);                            // of g; probabilities add up to 1
        fill(bounds, (count + 24) * ULP * 3 * largest + (accumulate ? ULP * (1 + largest) : 0));
        compare(whole).within("dLogits", bounds);
        if (rows > 0) whole.spreadsNaN(this::freshOps);
    }

    /// Sorts on both implementations; ints are compared one by one.
    private static int[][] grouped(TensorOps ops, int rows, int count, int k, int[] chosen) {
        try (ops) {
            Tensor experts = ops.allocate("experts", DType.I32, Shape.of(rows, k));
            Tensor tokens = ops.allocate("tokens", DType.I32, Shape.of(rows * k));
            Tensor places = ops.allocate("places", DType.I32, Shape.of(rows, k));
            Tensor offsets = ops.allocate("offsets", DType.I32, Shape.of(count + 1));
            ops.write(experts, chosen);
            ops.groupByExpert(tokens, places, offsets, experts);
            return new int[][] {ops.toInts(tokens), ops.toInts(places), ops.toInts(offsets)};
        }
    }

    @ParameterizedTest(name = "{0} tokens, {2} of {1} experts")
    @CsvSource({"0,4,2", "1,1,1", "5,4,2", "300,8,2", "700,130,3", "33,300,6"})
    default void groupByExpertSortsChoices(int rows, int count, int k) {
        int[] chosen = choices(rows, count, k, 5);
        int[][] want = grouped(new ReferenceOps(Trial.CHUNK_BYTES), rows, count, k, chosen);
        int[][] got = grouped(freshOps(), rows, count, k, chosen);
        for (int i = 0; i < 3; i++) assertArrayEquals(want[i], got[i]);
        int row = 0;
        for (int e = 0; e < count; e++) {
            for (int i = 0; i < chosen.length; i++) {
                if (chosen[i] != e) continue;
                assertArrayEquals(new int[] {i / k, row}, new int[] {got[0][row], got[1][i]});
                row++;
            }
            assertArrayEquals(new int[] {row}, new int[] {got[2][e + 1]});
        }
    }

    private static int[] shuffled(int n, long seed) {
        List<Integer> all = new ArrayList<>();
        for (int i = 0; i < n; i++) all.add(i);
        Collections.shuffle(all, new Random(seed));
        return all.stream().mapToInt(i -> i).toArray();
    }

    private static Tensor places(TensorOps ops, int rows, int k, int[] values) {
        Tensor places = ops.allocate("places", DType.I32, Shape.of(rows, k));
        ops.write(places, values);
        return places;
    }

    @ParameterizedTest(name = "{0} tokens, {1} each, width {2}, weighted {3}, placed {4}")
    @CsvSource({"0,2,8,true,true", "1,1,1,true,true", "5,3,7,true,true", "33,2,300,false,true", "9,1,64,true,false"})
    default void combineMatchesBothWays(int rows, int k, int width, boolean weighted, boolean placed) {
        int[] place = shuffled(rows * k, 7);
        for (boolean accumulate : new boolean[] {false, true}) {
            Trial forward = new Trial((ops, t) -> ops.combineForward(t.get("y"), t.get("x"),
                    placed ? places(ops, rows, k, place) : null, weighted ? t.get("weights") : null, accumulate))
                    .input("x", uniform(rows * k * width, 1), rows * k, width).input("weights", uniform(rows * k, 2), rows, k);
            assertSums(accumulate ? forward.inout("y", uniform(rows * width, 3), rows, width)
                    : forward.output("y", rows, width), k + 2);
        }
        Trial backward = new Trial((ops, t) ->
                ops.combineBackward(t.get("dx"), weighted ? t.get("dWeights") : null, t.get("dy"),
                t.get("x"), placed ? places(ops, rows, k, place) : null, weighted ? t.get("weights") : null))
                .output("dx", rows * k, width).input("dy", uniform(rows * width, 4), rows, width)
                .input("x", uniform(rows * k * width, 1), rows * k, width).input("weights", uniform(rows * k, 2), rows, k);
        assertSums(weighted ? backward.output("dWeights", rows, k) : backward, width + 2);
    }

    private static int[] offsets(int rows, int count) {
        int[] offsets = new int[count + 1];
        Random random = new Random(11);
        for (int i = 0; i < rows; i++) offsets[1 + (random.nextInt(count) & ~1) % count]++;          // odd ones have no rows
        for (int e = 0; e < count; e++) offsets[e + 1] += offsets[e];
        return offsets;
    }

    private static List<Tensor> matrices(TensorOps ops, int count, int rows, int cols, DType dtype, long seed, int missing) {
        List<Tensor> matrices = new ArrayList<>();
        for (int e = 0; e < count; e++) {
            if (e % 3 == 0) ops.allocate("between", DType.F32, Shape.of(1 + e));               // not all at equal distances
            Tensor matrix = e == missing ? null : ops.allocate("w", dtype, Shape.of(rows, cols));
            matrices.add(matrix);
            if (matrix != null) ops.write(matrix, uniform(rows * cols, (int) seed + e));
        }
        return matrices;
    }

    @ParameterizedTest(name = "{0} rows of {1} experts, {2} to {3}, {4}, without expert {5}")
    @CsvSource({"0,2,4,4,F32,-1", "1,1,1,1,F32,-1", "9,4,5,7,F32,-1", "150,4,33,70,BF16,2", "200,3,130,65,F16,-1",
            "70,9,16,8,F32,4"})
    default void groupedMatmulMatches(int rows, int count, int in, int out, DType dtype, int missing) {
        for (int variant = 0; variant < 4; variant++) {
            boolean transpose = variant % 2 == 1;
            boolean accumulate = variant / 2 == 1;
            Trial trial = new Trial((ops, t) -> ops.groupedMatmul(t.get("c"), t.get("a"),
                    matrices(ops, count, transpose ? out : in, transpose ? in : out, dtype, 20, missing), transpose,
                    t.get("offsets"),
                    0.7f, accumulate)).input("a", uniform(rows * in, 1), rows, in).ints("offsets", offsets(rows, count));
            Trial whole = accumulate ? trial.inout("c", uniform(rows * out, 2), rows, out) : trial.output("c", rows, out);
            double[] bounds = new double[rows * out];
            fill(bounds, (in + 4) * ULP * (in + 1));                              // no term is larger than 1
            compare(whole).within("c", bounds);
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"NF4", "I8"})
    default void groupedMatmulTakesQuantizedMatrices(DType dtype) {
        int in = 64;
        int out = 6;
        Trial trial = new Trial((ops, t) -> {
            List<Tensor> w = new ArrayList<>();
            for (Tensor dense : matrices(ops, 3, out, in, DType.F32, 30, -1)) {
                Tensor q = ops.allocate("q", dtype == DType.I8 ? Quantization.INT8 : Quantization.NF4, dense.shape());
                ops.quantize(q, dense);
                w.add(q);
            }
            ops.groupedMatmul(t.get("c"), t.get("a"), w, true, t.get("offsets"), 1f, false);
        }).output("c", 40, out).input("a", uniform(40 * in, 1), 40, in).ints("offsets", offsets(40, 3));
        double[] bounds = new double[40 * out];
        fill(bounds, (in + 4) * ULP * in);
        compare(trial).within("c", bounds);
    }

    @ParameterizedTest(name = "{0} rows of {1} experts, {2} x {3}, without expert {4}")
    @CsvSource({"0,2,4,4,-1", "9,4,5,7,-1", "150,4,33,70,2", "200,3,130,4,-1", "70,9,4,66,4"})
    default void groupedGradientAccumulates(int rows, int count, int m, int n, int missing) {
        Trial trial = new Trial((ops, t) -> {
            List<Tensor> dw = matrices(ops, count, m, n, DType.F32, 40, missing);
            ops.groupedGradient(dw, t.get("a"), t.get("b"), t.get("offsets"), 0.7f);
            for (int e = 0; e < count; e++) if (dw.get(e) != null) ops.copy(t.get("dw" + e), dw.get(e));
        }).input("a", uniform(rows * m, 1), rows, m).input("b", uniform(rows * n, 2), rows, n)
                .ints("offsets", offsets(rows, count));
        for (int e = 0; e < count; e++) if (e != missing) trial.output("dw" + e, m, n);
        double[] bounds = new double[m * n];
        fill(bounds, (rows + 4) * ULP * (rows + 1));
        Comparison comparison = compare(trial);
        for (int e = 0; e < count; e++) if (e != missing) comparison.within("dw" + e, bounds);
    }

    /// @param missing the expert without an adapter
    private static GroupedLowRank side(TensorOps ops, Map<String, Tensor> t, int in, int out, int r, int missing) {
        return new GroupedLowRank(t.get("x"), matrices(ops, 4, r, in, DType.F32, 60, missing), matrices(ops, 4, out, r,
                DType.F32, 70, missing), t.get("low"), 1.5f);
    }

    @ParameterizedTest(name = "{0} rows of 4 experts, {1} to {2}, rank {3}, without adapter {4}")
    @CsvSource({"0,4,4,2,-1", "9,5,7,3,-1", "70,36,68,16,2", "140,8,4,64,0"})
    default void groupedLinearMatches(int rows, int in, int out, int r, int missing) {
        Trial forward = new Trial((ops, t) -> {
            List<Tensor> w = matrices(ops, 4, out, in, DType.F32, 20, -1);
            ops.groupedLinearForward(null, t.get("x"), w, t.get("offsets"), side(ops, t, in, out, r, missing));
            ops.copy(t.get("alone"), t.get("low"));
            ops.groupedLinearForward(t.get("y"), t.get("x"), w, t.get("offsets"), side(ops, t, in, out, r, missing));
            ops.groupedLinearForward(t.get("bare"), t.get("x"), w, t.get("offsets"), null);
        }).output("y", rows, out).output("low", rows, r).output("alone", rows, r).output("bare", rows, out)
                .input("x", uniform(rows * in, 1), rows, in).ints("offsets", offsets(rows, 4));
        Comparison comparison = compare(forward);
        double[] lows = new double[rows * r];
        fill(lows, (in + 4) * ULP * in);                                          // no term is larger than 1
        double[] sums = new double[rows * out];
        fill(sums, (in + r + 8) * ULP * (in + 1.5 * in * r));
        comparison.within("low", lows).within("alone", lows).within("y", sums).within("bare", sums);
        for (boolean dropping : new boolean[] {false, true}) {
            Trial backward = new Trial((ops, t) -> {
                List<Tensor> dA = matrices(ops, 4, r, in, DType.F32, 80, missing);
                List<Tensor> dB = matrices(ops, 4, out, r, DType.F32, 90, missing);
                ops.groupedLinearBackward(t.get("dx"), true, t.get("dy"), matrices(ops, 4, out, in, DType.F32, 20, -1),
                        t.get("offsets"), side(ops, t, in, out, r, missing), new GroupedLowRankGrads(dA, dB, t.get("dLow"),
                                dropping ? t.get("dInput") : null));
                if (!dropping) ops.fill(t.get("dInput"), 0f);
                for (int e = 0; e < 4; e++) {
                    if (e == missing) continue;
                    ops.copy(t.get("dA" + e), dA.get(e));
                    ops.copy(t.get("dB" + e), dB.get(e));
                }
            }).inout("dx", uniform(rows * in, 3), rows, in).output("dLow", rows, r).output("dInput", rows, in)
                    .input("x", uniform(rows * in, 1), rows, in).input("dy", uniform(rows * out, 2), rows, out)
                    .input("low", uniform(rows * r, 4), rows, r).ints("offsets", offsets(rows, 4));
            for (int e = 0; e < 4; e++) if (e != missing) backward.output("dA" + e, r, in).output("dB" + e, out, r);
            double[] dLows = new double[rows * r];
            fill(dLows, (out + 4) * ULP * 1.5 * out);
            double[] dInputs = new double[rows * in];
            fill(dInputs, (out + r + 8) * ULP * (out + 1 + 1.5 * out * r));
            double[] dAs = new double[r * in];
            fill(dAs, (rows + out + 8) * ULP * (1 + 1.5 * out * rows));
            double[] dBs = new double[out * r];
            fill(dBs, (rows + 8) * ULP * (1 + 1.5 * rows));
            Comparison back = compare(backward).within("dLow", dLows).within("dx", dInputs).within("dInput", dInputs);
            for (int e = 0; e < 4; e++) if (e != missing) back.within("dA" + e, dAs).within("dB" + e, dBs);
        }
    }

    @Test
    default void operandsOfExpertsMustFit() {
        assertThrows(IllegalArgumentException.class, () -> new RouteSpec(0, true, 1));
        assertThrows(IllegalArgumentException.class, () -> new RouteSpec(2, true, 1, 2, 3));
        try (TensorOps ops = freshOps()) {
            ChecksContract.Refusals r = new ChecksContract.Refusals(ops);
            RouteSpec spec = new RouteSpec(2, true, 1);
            r.expect("routeForward", () -> ops.routeForward(r.f(3, 1), r.i(3, 2), r.f(3, 4), spec),
                    () -> ops.routeForward(r.f(3, 2), r.f(3, 2), r.f(3, 4), spec),
                    () -> ops.routeForward(r.f(3, 2), r.i(3, 2), r.f(3, 1), spec),
                    () -> ops.routeForward(r.f(3, 2), r.i(3, 2), r.f(3, 5), new RouteSpec(2, true, 1, 2, 1)));
            r.expect("routeBackward", () -> ops.routeBackward(r.f(3, 3), r.f(3, 2), r.i(3, 2), r.f(3, 4), spec));
            r.expect("balanceForward", () -> ops.balanceForward(r.f(2, 3), r.i(3, 2), r.f(3, 4), r.i(3)),
                    () -> ops.balanceForward(r.f(2, 4), r.i(2, 2), r.f(3, 4), r.i(3)),
                    () -> ops.balanceForward(r.f(2, 4), r.f(3, 2), r.f(3, 4), r.i(3)),
                    () -> ops.balanceForward(r.f(2, 4), r.i(3, 2), r.f(3, 4), r.i(4)));
            r.expect("balanceBackward",
                    () -> ops.balanceBackward(r.f(3, 3), r.f(2, 4), r.f(3, 4), r.i(3), r.f(1), 2, false),
                    () -> ops.balanceBackward(r.f(3, 4), r.f(1, 4), r.f(3, 4), r.i(3), r.f(1), 2, false),
                    () -> ops.balanceBackward(r.f(3, 4), r.f(2, 4), r.f(3, 4), r.f(3), r.f(1), 2, false),
                    () -> ops.balanceBackward(r.f(3, 4), r.f(2, 4), r.f(3, 4), r.i(3), r.f(2), 2, false));
            r.expect("groupByExpert", () -> ops.groupByExpert(r.i(5), r.i(3, 2), r.i(4), r.i(3, 2)),
                    () -> ops.groupByExpert(r.i(6), r.i(2, 3), r.i(4), r.i(3, 2)),
                    () -> ops.groupByExpert(r.i(6), r.i(3, 2), r.f(4), r.i(3, 2)));
            r.expect("combineForward", () -> ops.combineForward(r.f(3, 4), r.f(5, 4), r.i(3, 2), null, false),
                    () -> ops.combineForward(r.f(3, 4), r.f(6, 5), r.i(3, 2), null, false),
                    () -> ops.combineForward(r.f(3, 4), r.f(6, 4), r.i(3, 2), r.f(3, 1), false));
            r.expect("combineBackward", () -> ops.combineBackward(r.f(6, 3), null, r.f(3, 4), r.f(6, 4), r.i(3, 2), null),
                    () -> ops.combineBackward(null, r.f(3, 2), r.f(3, 4), r.f(6, 4), r.i(3, 2), null));
            r.expect("groupedMatmul",
                    () -> ops.groupedMatmul(r.f(3, 4), r.f(3, 5), List.of(r.f(5, 4)), false, r.i(3), 1, false),
                    () -> ops.groupedMatmul(r.f(3, 4), r.f(3, 5), List.of(r.f(5, 4)), true, r.i(2), 1, false),
                    () -> ops.groupedMatmul(r.f(2, 4), r.f(3, 5), List.of(r.f(5, 4)), false, r.i(2), 1, false));
            r.expect("groupedGradient",
                    () -> ops.groupedGradient(List.of(r.f(4, 5)), r.f(3, 5), r.f(3, 4), r.i(2), 1),
                    () -> ops.groupedGradient(List.of(r.half(5, 4)), r.f(3, 5), r.f(3, 4), r.i(2), 1));
            GroupedLowRank side = new GroupedLowRank(r.f(3, 5), List.of(r.f(2, 5)), List.of(r.f(4, 2)), r.f(3, 2), 1f);
            GroupedLowRank narrow = new GroupedLowRank(r.f(3, 5), List.of(r.f(2, 5)), List.of(r.f(4, 3)), r.f(3, 2), 1f);
            r.expect("groupedLinearForward",
                    () -> ops.groupedLinearForward(null, r.f(3, 5), List.of(r.f(4, 5)), r.i(2), narrow));
            r.expect("groupedLinearBackward",
                    () -> ops.groupedLinearBackward(r.f(3, 5), false, r.f(3, 4), List.of(r.f(4, 5)), r.i(2), side, null),
                    () -> ops.groupedLinearBackward(null, false, r.f(3, 4), List.of(r.f(4, 5)), r.i(2), side,
                            new GroupedLowRankGrads(null, null, r.f(3, 3), null)));
        }
    }
}
