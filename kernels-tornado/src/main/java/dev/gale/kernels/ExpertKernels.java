package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Which experts tokens choose, in what order the choices lie, and how results come together. Formulas: `ExpertOps`.
public final class ExpertKernels {
    /// Threads of a work-group, and choices of a block of those that sort.
    public static final int GROUP = 256;
    /// Most experts of a token.
    public static final int MOST_PER_TOKEN = 32;
    /// Most groups of experts.
    public static final int MOST_GROUPS = 32;

    private ExpertKernels() {}

    /// Experts of the largest logits and their weights.
    /// Shapes: weights F32, experts I32 `[rows, k]`, logits `[rows, count]`, F32, BF16 or F16. Operands in the table in that
    /// order. Launch: `ceil(rows / GROUP)` work-groups of `GROUP` threads, a thread a token. Numerics: F32. Writes: `=`.
    ///
    /// @param normalize 1 to divide the weights of a token by their sum
    /// @param groups    of experts, 1 for none, of which each token uses `used`
    public static void routeForward(KernelContext context, IntArray table, int slot, FloatArray weights, IntArray experts,
            FloatArray logits, ShortArray logitsHalf, int type, int rows, int count, int k, int normalize, float scale,
            int groups, int used) {
        int[] chosen = new int[MOST_PER_TOKEN];
        int[] open = new int[MOST_GROUPS];
        int t = context.globalIdx;
        if (t < rows) {
            int at = table.get(slot + 2) + t * count;
            int size = count / groups;
            for (int g = 0; g < groups; g++) open[g] = groups == 1 ? 1 : 0;
            if (groups > 1) {
                for (int turn = 0; turn < used; turn++) {
                    int best = -1;
                    float most = 0f;
                    for (int g = 0; g < groups; g++) {
                        if (open[g] == 0) {
                            float largest = -Float.MAX_VALUE;
                            for (int e = g * size; e < (g + 1) * size; e++) {
                                float z = Elements.get(logits, logitsHalf, type, at + e);
                                if (z > largest) largest = z;
                            }
                            int better = best < 0 ? 1 : largest > most ? 1 : 0;
                            if (better == 1) {
                                best = g;
                                most = largest;
                            }
                        }
                    }
                    open[best] = 1;
                }
            }
            float top = Elements.get(logits, logitsHalf, type, at);
            for (int e = 1; e < count; e++) top = TornadoMath.max(top, Elements.get(logits, logitsHalf, type, at + e));
            float sum = 0f;
            for (int e = 0; e < count; e++) sum += TornadoMath.exp(Elements.get(logits, logitsHalf, type, at + e) - top);
            float total = 0f;
            for (int s = 0; s < k; s++) {
                int best = -1;
                float most = 0f;
                for (int e = 0; e < count; e++) {
                    int free = open[e / size];
                    for (int before = 0; before < s; before++) if (chosen[before] == e) free = 0;
                    if (free == 1) {
                        float z = Elements.get(logits, logitsHalf, type, at + e);
                        int better = best < 0 ? 1 : z > most ? 1 : 0;
                        if (better == 1) {
                            best = e;
                            most = z;
                        }
                    }
                }
                chosen[s] = best;
                total += TornadoMath.exp(most - top);
            }
            float divisor = normalize == 1 ? total : sum;
            int atWeights = table.get(slot) + t * k;
            int atExperts = table.get(slot + 1) + t * k;
            for (int s = 0; s < k; s++) {
                float z = Elements.get(logits, logitsHalf, type, at + chosen[s]);
                experts.set(atExperts + s, chosen[s]);
                weights.set(atWeights + s, scale * (TornadoMath.exp(z - top) / divisor));
            }
        }
    }

    /// Gradient of `routeForward`, the choice held fixed.
    /// Shapes: dLogits, logits `[rows, count]`, of one type, F32, BF16 or F16; dWeights F32, experts I32 `[rows, k]`. Operands
    /// in the table: dLogits, dWeights, experts, logits. Launch, Numerics: as `routeForward`. Writes: `=`.
    public static void routeBackward(KernelContext context, IntArray table, int slot, FloatArray dLogits,
            ShortArray dLogitsHalf, FloatArray dWeights, IntArray experts, FloatArray logits, ShortArray logitsHalf, int type,
            int rows, int count, int k, int normalize, float scale) {
        int t = context.globalIdx;
        if (t < rows) {
            int dAt = table.get(slot) + t * count;
            int atWeights = table.get(slot + 1) + t * k;
            int atExperts = table.get(slot + 2) + t * k;
            int at = table.get(slot + 3) + t * count;
            float top = Elements.get(logits, logitsHalf, type, at);
            for (int e = 1; e < count; e++) top = TornadoMath.max(top, Elements.get(logits, logitsHalf, type, at + e));
            float sum = 0f;
            for (int e = 0; e < count; e++) sum += TornadoMath.exp(Elements.get(logits, logitsHalf, type, at + e) - top);
            float total = 0f;
            float products = 0f;
            for (int s = 0; s < k; s++) {
                float p = TornadoMath.exp(Elements.get(logits, logitsHalf, type, at + experts.get(atExperts + s)) - top);
                total += p;
                products += scale * dWeights.get(atWeights + s) * p;
            }
            float divisor = normalize == 1 ? total + sum * 0f : sum;     // `max` of a device forgets a NaN, the sum does not
            float mean = products / divisor;
            for (int e = 0; e < count; e++) {
                float p = TornadoMath.exp(Elements.get(logits, logitsHalf, type, at + e) - top) / divisor;
                float share = -mean;
                int reached = 1 - normalize;
                for (int s = 0; s < k; s++) {
                    if (experts.get(atExperts + s) == e) {
                        share = scale * dWeights.get(atWeights + s) - mean;
                        reached = 1;
                    }
                }
                float gradient = 0f;
                if (reached == 1) gradient = p * share;
                Elements.set(dLogits, dLogitsHalf, type, dAt + e, gradient);
            }
        }
    }

    /// How many choices of each block of `GROUP` fall on each expert.
    /// Shapes: counts I32 `[blocks, count]`, experts I32 `[n]`.
    /// Launch: `ceil(n / GROUP)` work-groups of `GROUP` threads; 1 KB of local memory. Writes: `=`.
    public static void countChoices(KernelContext context, IntArray table, int slot, IntArray counts, IntArray experts, int n,
            int count) {
        int[] tile = context.allocateIntLocalArray(GROUP);
        int[] pin = new int[1];                      // keeps reads where they stand: see Reduce
        int block = context.groupIdx;
        int thread = context.localIdx;
        int i = block * GROUP + thread;
        tile[thread] = i < n ? experts.get(table.get(slot + 1) + TornadoMath.min(i, n - 1)) : -1;
        context.localBarrier();
        int at = table.get(slot) + block * count;
        for (int e = thread; e < count; e += GROUP) {
            pin[0] = 0;
            for (int j = 0; j < GROUP; j++) if (tile[j] == e) pin[0] = pin[0] + 1;
            counts.set(at + e, pin[0]);
        }
    }

    /// How many choices fall on each expert, in `offsets[e + 1]`.
    /// Shapes: offsets I32 `[count + 1]`, counts of `countChoices` I32 `[blocks, count]`.
    /// Launch: `ceil(count / GROUP)` work-groups of `GROUP` threads. Writes: `=`.
    public static void expertTotals(KernelContext context, IntArray table, int slot, IntArray offsets, IntArray counts,
            int blocks, int count) {
        int at = table.get(slot);
        int countsAt = table.get(slot + 1);
        int e = context.globalIdx;
        if (e < count) {
            int sum = 0;
            for (int b = 0; b < blocks; b++) sum += counts.get(countsAt + b * count + e);
            offsets.set(at + e + 1, sum);
        }
    }

    /// Where the rows of each expert begin, from how many each has. Launch: one thread of one work-group. Writes: in place.
    public static void expertOffsets(KernelContext context, IntArray table, int slot, IntArray offsets, int count) {
        int at = table.get(slot);
        if (context.globalIdx == 0) {
            int sum = 0;
            offsets.set(at, 0);
            for (int e = 1; e <= count; e++) {
                sum += offsets.get(at + e);
                offsets.set(at + e, sum);
            }
        }
    }

    /// Where the rows begin that each block has of each expert.
    /// Shapes, Launch: as `expertTotals`. Writes: counts in place.
    public static void blockOffsets(KernelContext context, IntArray table, int slot, IntArray offsets, IntArray counts,
            int blocks, int count) {
        int countsAt = table.get(slot + 1);
        int e = context.globalIdx;
        if (e < count) {
            int next = offsets.get(table.get(slot) + e);
            for (int b = 0; b < blocks; b++) {
                int here = counts.get(countsAt + b * count + e);
                counts.set(countsAt + b * count + e, next);
                next += here;
            }
        }
    }

    /// The row of each choice, and the token of each row.
    /// Shapes: tokens, places, experts I32 `[n]`, counts of `blockOffsets` I32 `[blocks, count]`. Operands in the table in the
    /// order tokens, places, counts, experts.
    /// Launch: as `countChoices`. Writes: `=`.
    ///
    /// @param k choices of a token
    public static void placeChoices(KernelContext context, IntArray table, int slot, IntArray tokens, IntArray places,
            IntArray counts, IntArray experts, int n, int count, int k) {
        int[] tile = context.allocateIntLocalArray(GROUP);
        int[] pin = new int[1];                      // keeps reads where they stand: see Reduce
        int block = context.groupIdx;
        int thread = context.localIdx;
        int i = block * GROUP + thread;
        int own = experts.get(table.get(slot + 3) + TornadoMath.min(i, n - 1));
        tile[thread] = own;
        context.localBarrier();
        pin[0] = 0;
        for (int j = 0; j < thread; j++) if (tile[j] == own) pin[0] = pin[0] + 1;
        if (i < n) {
            int place = counts.get(table.get(slot + 2) + block * count + own) + pin[0];
            places.set(table.get(slot + 1) + i, place);
            tokens.set(table.get(slot) + place, i / k);
        }
    }

    /// `y[t] = sum_s weights[t,s] * x[places[t,s]]`.
    /// Shapes: y `[rows, cols]`, x `[rows * k, cols]`, F32, BF16 or F16; places I32, weights F32 `[rows, k]`. Operands in the
    /// table in that order; anything may stand for those that are absent.
    /// Launch: rows work-groups of `Elements.GROUP` threads. Numerics: F32, in order of s. Writes: `=` or, with bit 2 of form,
    /// `+=`.
    ///
    /// @param form bit 0: there are weights, bit 1: there are places, bit 2: accumulate
    public static void combineForward(KernelContext context, IntArray table, int slot, FloatArray y, ShortArray yHalf,
            int yType, FloatArray x, ShortArray xHalf, int xType, IntArray places, FloatArray weights, int cols,
            int k, int form) {
        int t = context.groupIdx;
        int yAt = table.get(slot) + t * cols;
        int xAt = table.get(slot + 1);
        int placesAt = table.get(slot + 2) + t * k;
        int weightsAt = table.get(slot + 3) + t * k;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float sum = 0f;
            if ((form & 4) != 0) sum = Elements.get(y, yHalf, yType, yAt + c);
            for (int s = 0; s < k; s++) {
                int row = t;
                if ((form & 2) != 0) row = places.get(placesAt + s);
                float factor = 1f;
                if ((form & 1) != 0) factor = weights.get(weightsAt + s);
                sum += factor * Elements.get(x, xHalf, xType, xAt + row * cols + c);
            }
            Elements.set(y, yHalf, yType, yAt + c, sum);
        }
    }

    /// `dx[places[t,s]] = weights[t,s] * dy[t]`.
    /// Shapes: dx `[rows * k, cols]`, dy `[rows, cols]`, F32, BF16 or F16; places I32, weights F32 `[rows, k]`. Operands in the
    /// table in that order. Launch: `rows * k` work-groups of `Elements.GROUP` threads. Writes: `=`.
    ///
    /// @param form bits 0 and 1 as for `combineForward`
    public static void combineBackward(KernelContext context, IntArray table, int slot, FloatArray dx, ShortArray dxHalf,
            int dxType, FloatArray dy, ShortArray dyHalf, int dyType, IntArray places, FloatArray weights, int cols, int k,
            int form) {
        int i = context.groupIdx;
        int row = i;
        if ((form & 2) != 0) row = places.get(table.get(slot + 2) + i);
        float factor = 1f;
        if ((form & 1) != 0) factor = weights.get(table.get(slot + 3) + i);
        int dxAt = table.get(slot) + row * cols;
        int dyAt = table.get(slot + 1) + i / k * cols;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            Elements.set(dx, dxHalf, dxType, dxAt + c, factor * Elements.get(dy, dyHalf, dyType, dyAt + c));
        }
    }

    /// `dWeights[t,s] = dy[t] · x[places[t,s]]`.
    /// Shapes: dWeights F32, places I32 `[rows, k]`, dy `[rows, cols]`, x `[rows * k, cols]`, F32, BF16 or F16. Operands in the
    /// table: dWeights, dy, x, places. Launch: `rows * k` work-groups of `Elements.GROUP` threads; 1 KB of local memory.
    /// Writes: `=`.
    ///
    /// @param placed 1: there are places
    public static void combineBackwardWeights(KernelContext context, IntArray table, int slot, FloatArray dWeights,
            FloatArray dy, ShortArray dyHalf, int dyType, FloatArray x, ShortArray xHalf, int xType, IntArray places, int cols,
            int k, int placed) {
        int i = context.groupIdx;
        int row = i;
        if (placed == 1) row = places.get(table.get(slot + 3) + i);
        int dyAt = table.get(slot + 1) + i / k * cols;
        int xAt = table.get(slot + 2) + row * cols;
        float sum = 0f;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            sum += Elements.get(dy, dyHalf, dyType, dyAt + c) * Elements.get(x, xHalf, xType, xAt + c);
        }
        float total = Reduce.sum(context, sum);
        if (context.localIdx == 0) dWeights.set(table.get(slot) + i, total);
    }
}
