package dev.gale.tensor.cpu;

import dev.gale.tensor.Convert;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// Inverted dropout with counter-based random numbers: as many Philox blocks at a time as a vector has 64-bit lanes.
/// Source: Salmon et al., SC 2011, and `dev.gale.tensor.random.Philox`, its plain form.
final class Dropout {
    private static final VectorSpecies<Long> L = VectorSpecies.of(long.class, Lanes.F.vectorShape());
    private static final int BLOCKS = L.length();
    private static final int WORDS = 4 * BLOCKS;
    private static final long LOW = 0xFFFFFFFFL;
    private static final VectorShuffle<Long> LEFT = VectorShuffle.fromOp(L, lane -> lane / 2);
    private static final VectorShuffle<Long> RIGHT = VectorShuffle.fromOp(L, lane -> BLOCKS / 2 + lane / 2);
    private static final VectorMask<Long> ODD = VectorMask.fromLong(L, 0xAAAA_AAAA_AAAA_AAAAL);
    private static final LongVector FIRST = LongVector.broadcast(L, 0xD2511F53L);
    private static final LongVector SECOND = LongVector.broadcast(L, 0xCD9E8D57L);

    private final Team team;

    Dropout(Team team) {
        this.team = team;
    }

    /// Everything that a block of random numbers depends on beside its number.
    private record Key(int key0, int key1, int stream, int step, int microBatch) {}

    void run(Tensor y, Tensor x, float p, Tensor rng, int stream, boolean accumulate) {
        Key key = new Key(state(rng, 0), state(rng, 1), stream, state(rng, 2), state(rng, 3));
        float scale = (float) (1 / (1 - (double) p));
        int threshold = (int) Math.ceil(p * 0x1p24);       // u >= p, said of the 24 bits that u is made from
        team.blocks(x.size(), (at, count, scratch) -> {
            float[] values = scratch.get(Use.A, Team.BLOCK);
            float[] before = scratch.get(Use.B, Team.BLOCK);
            Lanes.load(values, 0, x, at, count);
            if (accumulate) Lanes.load(before, 0, y, at, count);
            for (int i = 0; i < count; i += WORDS) mask(values, i, threshold, scale, key, (at + i) / 4);
            if (accumulate) Lanes.addScaled(values, 0, 1f, before, 0, Lanes.roundUp(count));
            Lanes.store(y, at, values, 0, count);
        });
    }

    private static int state(Tensor rng, int i) {
        return Convert.getInt(rng.segment(), i);
    }

    /// Philox4x32-10 of blocks `block, block + 1, ...`; every lane holds a 32-bit word in its lower half. Block numbers
    /// wrap as the contract's 32-bit counter does.
    private static void mask(float[] values, int at, int threshold, float scale, Key key, long block) {
        LongVector c0 = LongVector.broadcast(L, block).addIndex(1).and(LOW);
        LongVector c1 = LongVector.broadcast(L, key.stream & LOW);
        LongVector c2 = LongVector.broadcast(L, key.step & LOW);
        LongVector c3 = LongVector.broadcast(L, key.microBatch & LOW);
        int key0 = key.key0;
        int key1 = key.key1;
        for (int round = 0; round < 10; round++) {
            LongVector p0 = c0.and(LOW).mul(FIRST.and(LOW));      // masked, so that a 32-bit multiplication will do
            LongVector p1 = c2.and(LOW).mul(SECOND.and(LOW));
            c0 = p1.lanewise(VectorOperators.LSHR, 32).lanewise(VectorOperators.XOR, c1)
                    .lanewise(VectorOperators.XOR, key0 & LOW);
            c2 = p0.lanewise(VectorOperators.LSHR, 32).lanewise(VectorOperators.XOR, c3)
                    .lanewise(VectorOperators.XOR, key1 & LOW);
            c1 = p1.and(LOW);
            c3 = p0.and(LOW);
            key0 += 0x9E3779B9;
            key1 += 0xBB67AE85;
        }
        LongVector front = c0.or(c1.lanewise(VectorOperators.LSHL, 32));       // words 0 and 1 of each block
        LongVector back = c2.or(c3.lanewise(VectorOperators.LSHL, 32));
        apply(values, at, front.rearrange(LEFT).blend(back.rearrange(LEFT), ODD), threshold, scale);
        apply(values, at + Lanes.WIDTH, front.rearrange(RIGHT).blend(back.rearrange(RIGHT), ODD), threshold, scale);
    }

    /// A dropped NaN is dropped.
    private static void apply(float[] values, int at, LongVector words, int threshold, float scale) {
        VectorMask<Float> keep = words.reinterpretAsInts().lanewise(VectorOperators.LSHR, 8)
                .compare(VectorOperators.GE, threshold).cast(Lanes.F);
        FloatVector.zero(Lanes.F).blend(Lanes.at(values, at).mul(scale), keep).intoArray(values, at);
    }
}
