package dev.gale.kernels.mma;


import dev.gale.kernels.emulator.KernelEmulator;
import dev.gale.tensor.Convert;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// The attention kernels give the same bits in any order of their threads and whatever stands in local memory before; what
/// they compute is tested where they are chosen. Operands end where their arrays end: reading further is a fault.
class AttentionRacesTest {
    private SplittableRandom random = new SplittableRandom(5);

    private LongArray operand(int elements, float factor) {
        LongArray longs = new LongArray(elements / 4);
        for (int i = 0; i < elements; i++) {
            long bits = Convert.toBf16((float) random.nextDouble(-factor, factor)) & 0xffffL;
            longs.set(i / 4, longs.get(i / 4) | bits << 16 * (i % 4));
        }
        return longs;
    }

    /// What a kernel makes of n queries and keys. Scores are large in the first block of queries alone, and one value that
    /// some see is infinite.
    private String run(MmaAttention attention, int n) throws ClassNotFoundException {
        int dims = attention.dims();
        LongArray q = operand(n * dims, 1);
        for (int i = 0; i < dims / 4; i++) q.set(i, 0x4380438043804380L);
        LongArray k = operand(n * dims, 1);
        LongArray v = operand(n * dims, 1);
        v.set(2 * dims / 4, 0x7f80L);
        LongArray o = new LongArray(n * dims / 4);
        FloatArray lse = new FloatArray(n);
        IntArray ranges = new IntArray(2 * n);
        for (int i = 0; i < n; i++) ranges.set(n + i, i + 1);
        FloatArray norms = new FloatArray(AttentionTiles.norms(n));
        IntArray zeros = new IntArray(7);
        KernelEmulator.grid(AttentionTiles.norms(n) * AttentionTiles.NORM_GROUP).group(AttentionTiles.NORM_GROUP)
                .run(context -> AttentionTiles.keyNorms(context, zeros, 0, norms, k, 1, dims, n));
        AttentionGenerator.Variant variant = AttentionGenerator.VARIANTS.get(attention.ordinal());
        Class<?> owner = Class.forName("dev.gale.kernels.mma." + variant.name());
        KernelEmulator.grid(attention.groups(n, 1) * AttentionTiles.THREADS).group(AttentionTiles.THREADS)
                .arrays(o, lse, q, k, v, ranges, norms)
                .run(owner, variant.method(), zeros, 0, o, lse, q, k, v, ranges, norms, 1, 1, n, n, 0.125f, 0f);
        return Arrays.toString(o.toHeapArray()) + Arrays.toString(lse.toHeapArray());
    }

    @ParameterizedTest
    @EnumSource(MmaAttention.class)
    void orderDoesNotMatter(MmaAttention attention) throws ClassNotFoundException {
        run(attention, attention.rows() + 3);
    }
}
