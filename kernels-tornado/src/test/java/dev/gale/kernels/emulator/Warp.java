package dev.gale.kernels.emulator;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import uk.ac.manchester.tornado.api.types.HalfFloat;

/// 32 threads side by side along x, and the operations that they do together. A lane that reads another's value, or
/// memory that others may have written just before, waits for all lanes. Products only move registers: lanes leave
/// their operands and go on, and the last one computes.
final class Warp {
    static final int LANES = 32;
    private static final int ROW_BYTES = 16;
    private static final int ROW_WORDS = 4;

    private final WorkGroup group;
    private final List<Strand> lanes = new ArrayList<>(LANES);
    private String operation;
    private int arrived;
    private final float[] values = new float[LANES];
    private final int[] arguments = new int[LANES];
    private final int[][] tiles = new int[LANES][];
    private final HalfFloat[][] loaded = new HalfFloat[LANES][];

    private final List<Product> products = new ArrayList<>();
    private final ArrayDeque<Product> spare = new ArrayDeque<>();
    private int computed;

    /// The registers of a lane after a load: four of A, two of B; each holds two 16-bit numbers.
    private static final class Registers extends HalfFloat {
        final int[] words;

        Registers(int[] words) {
            super((short) 0);
            this.words = words;
        }

        static int[] of(HalfFloat[] fragment, int atLeast) {
            if (fragment.length == 1 && fragment[0] instanceof Registers loaded && loaded.words.length >= atLeast) {
                return loaded.words;
            }
            String loads = atLeast == 4 ? "mmaLoadA" : "mmaLoadA or mmaLoadB";
            throw new KernelFault("an operand of mma was not loaded with " + loads);
        }
    }

    Warp(WorkGroup group) {
        this.group = group;
    }

    void add(Strand lane) {
        lanes.add(lane);
    }

    void reset() {
        operation = null;
        arrived = 0;
        computed = 0;
        products.clear();
    }

    /// Shuffles of one float a lane.
    float exchange(Strand strand, String name, float value, int delta) {
        values[strand.lane()] = value;
        arguments[strand.lane()] = delta;
        if (arrive(strand, name, true)) {
            switch (name) {
                case "simdSum" -> butterfly();
                case "simdShuffleDown" -> shiftDown();
                default -> Arrays.fill(values, values[0]);
            }
            release();
        }
        group.await(strand);
        return values[strand.lane()];
    }

    private void butterfly() {
        float[] before = new float[LANES];
        for (int mask = LANES / 2; mask > 0; mask /= 2) {
            System.arraycopy(values, 0, before, 0, LANES);
            for (int lane = 0; lane < LANES; lane++) values[lane] = before[lane] + before[lane ^ mask];
        }
    }

    private void shiftDown() {
        float[] before = values.clone();
        for (int lane = 0; lane < LANES; lane++) {
            int from = lane + arguments[lane];
            values[lane] = from < LANES ? before[from] : before[lane];
        }
    }

    /// ldmatrix.x4: lane 8m + r names row r of the 8x8 matrix m; register m of lane t is word t & 3 of row t >> 2. The
    /// compiler adds to the byte offset a fixed place in a tile of 32-byte rows.
    HalfFloat[] loadA(Strand strand, int[] tile, int byteOffset) {
        int lane = strand.lane();
        int row = (lane >> 3 & 1) * 8 + (lane & 7);
        if (address(strand, "mmaLoadA", tile, row * 32 + (lane >> 4) * ROW_BYTES + byteOffset)) {
            for (int t = 0; t < LANES; t++) {
                int[] words = new int[4];
                for (int m = 0; m < 4; m++) words[m] = word(8 * m + (t >> 2), t & 3);
                loaded[t] = new HalfFloat[] {new Registers(words)};
            }
            release();
        }
        group.await(strand);
        return loaded[lane];
    }

    /// ldmatrix.x2.trans: lanes 0 to 15 name the rows of two 8x8 matrices of 16-byte rows, 128 bytes apart; register m
    /// of lane t holds column t >> 2 of the rows 2 (t & 3) and one further.
    HalfFloat[] loadB(Strand strand, int[] tile, int byteOffset) {
        int lane = strand.lane();
        if (address(strand, "mmaLoadB", tile, (lane & 7) * ROW_BYTES + (lane >> 3 & 1) * 128 + byteOffset)) {
            for (int t = 0; t < LANES; t++) {
                int[] words = new int[2];
                for (int m = 0; m < 2; m++) {
                    int row = 8 * m + 2 * (t & 3);
                    words[m] = half(row, t >> 2) | half(row + 1, t >> 2) << 16;
                }
                loaded[t] = new HalfFloat[] {new Registers(words)};
            }
            release();
        }
        group.await(strand);
        return loaded[lane];
    }

    private boolean address(Strand strand, String name, int[] tile, int address) {
        boolean read = name.equals("mmaLoadA") || strand.lane() < LANES / 2;
        if (read && (address < 0 || address + ROW_BYTES > tile.length * 4 || address % ROW_BYTES != 0)) {
            throw new KernelFault("%s reads 16 bytes at byte %d of a local array of %d bytes%s".formatted(name, address,
                    tile.length * 4, address % ROW_BYTES == 0 ? "" : ", which is not a multiple of 16"));
        }
        tiles[strand.lane()] = tile;
        arguments[strand.lane()] = address / 4;
        return arrive(strand, name, false);
    }

    private int word(int lane, int word) {
        return tiles[lane][arguments[lane] + word];
    }

    private int half(int lane, int column) {
        return word(lane, column >> 1) >>> 16 * (column & 1) & 0xffff;
    }

    /// True for the last lane, which computes for all.
    private boolean arrive(Strand strand, String name, boolean compareSites) {
        if (arrived == 0) operation = name;
        if (!operation.equals(name)) {
            throw new KernelFault(
                    "warp divergence: at " + name + ", while other lanes of its warp wait at " + operation);
        }
        if (compareSites) group.compareSites(strand, lanes);
        strand.waitsAt = name;
        return ++arrived == LANES;
    }

    private void release() {
        arrived = 0;
        group.releaseFirst(lanes);
    }

    /// `A * B + C` of a 16x16 and a 16x8 tile; the result is there when every lane has come here.
    float[] multiply(Strand strand, boolean bf16, HalfFloat[] a, HalfFloat[] b, float[] c) {
        int index = strand.multiplied++ - computed;
        if (index == products.size()) products.add(spare.isEmpty() ? new Product() : spare.poll());
        Product product = products.get(index);
        float[] d = {Float.NaN, Float.NaN, Float.NaN, Float.NaN};
        boolean complete = product.put(strand.lane(), bf16, Registers.of(a, 4), Registers.of(b, 2), c, d);
        if (!complete) return d;
        product.compute();
        computed++;
        spare.add(products.removeFirst());
        for (Strand lane : lanes) {
            if ("mmaStore".equals(lane.waitsAt) && lane.multiplied <= computed) group.release(lane);
        }
        return d;
    }

    /// Before a lane uses the elements of a fragment.
    void awaitProducts(Strand strand) {
        if (strand.multiplied <= computed) return;
        strand.waitsAt = "mmaStore";
        group.await(strand);
    }

    /// At the end of a group.
    void checkFinished() {
        if (products.isEmpty()) return;
        throw new KernelFault("warp divergence: mma number " + (computed + 1) + " of a warp was reached by "
                + products.getFirst().count() + " of its 32 lanes only");
    }
}
