package dev.gale.train.data.clean;

import dev.gale.tensor.InputException;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/// Groups texts whose word triples have at least a given Jaccard index, directly or through others. `MinHash` names pairs; each
/// is checked on the sets themselves, of which the `SKETCH` smallest hashes are kept: the index is exact up to that size and
/// has a standard deviation below 0.016 beyond. Band keys and sets are in temporary files, so that the heap holds 20 bytes a
/// text.
public final class NearDuplicates implements AutoCloseable {
    private static final int SKETCH = 1024;
    private static final int ROW_BITS = 26;
    private static final int LOOK_BACK = 64;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final double threshold;
    private final MinHash minHash;
    private final Groups groups = new Groups();
    private final Path folder;
    private final DataOutputStream keys;
    private final DataOutputStream sets;
    private long[] offsets = new long[1024];
    private long written;

    /// What is remembered of a text.
    public record Sketch(long[] keys, int[] shingles) {}

    /// @param threshold smallest Jaccard index of a pair, in (0, 1]
    ///
    /// Throws InputException when the threshold is out of range.
    public NearDuplicates(double threshold) {
        if (!(threshold > 0 && threshold <= 1)) {
            throw new InputException("--near-duplicates must be above 0 and at most 1, got " + threshold);
        }
        this.threshold = threshold;
        this.minHash = new MinHash(threshold);
        try {
            folder = Files.createTempDirectory("gale-near-duplicates");
            keys = stream("keys");
            sets = stream("sets");
        } catch (IOException e) {
            throw new UncheckedIOException("the folder for temporary files cannot be written: " + e.getMessage(), e);
        }
    }

    private DataOutputStream stream(String name) throws IOException {
        return new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(folder.resolve(name)), 1 << 18));
    }

    /// What `add` needs of a text; may be called from several threads.
    public Sketch sketch(String text) {
        int[] shingles = Shingles.of(text);
        long[] bands = shingles.length == 0 ? new long[0] : minHash.keys(shingles);
        return new Sketch(bands, shingles.length <= SKETCH ? shingles : Arrays.copyOf(shingles, SKETCH));
    }

    /// Adds a text and returns its number, from 0. A text without words is like no other.
    public int add(Sketch sketch) {
        int number = groups.add();
        if (number >>> ROW_BITS != 0) {
            throw new InputException("more than %d rows cannot be compared at once: split the file".formatted(1 << ROW_BITS));
        }
        try {
            for (int b = 0; b < minHash.bands(); b++) {
                keys.writeLong(sketch.keys.length == 0 ? Shingles.mix(((long) number << 8) + b) : sketch.keys[b]);
            }
            if (number + 1 >= offsets.length) offsets = Arrays.copyOf(offsets, 2 * offsets.length);
            for (int shingle : sketch.shingles) sets.writeInt(shingle);
            written += sketch.shingles.length;
            offsets[number + 1] = written;
        } catch (IOException e) {
            throw new UncheckedIOException("a temporary file cannot be written: " + e.getMessage(), e);
        }
        return number;
    }

    /// Finds the groups among all texts that were added: for each the first of those like it, itself when there is none.
    public int[] find() {
        int count = groups.size();
        try (Arena arena = Arena.ofConfined()) {
            keys.flush();
            sets.flush();
            MemorySegment allKeys = map("keys", arena);
            MemorySegment allSets = map("sets", arena);
            for (int b = 0; b < minHash.bands() && count > 0; b++) join(candidates(allKeys, b, count), allSets);
        } catch (IOException e) {
            throw new UncheckedIOException("a temporary file cannot be read: " + e.getMessage(), e);
        }
        int[] firsts = new int[count];
        for (int i = 0; i < count; i++) firsts[i] = groups.first(i);
        return firsts;
    }

    private MemorySegment map(String name, Arena arena) throws IOException {
        try (FileChannel channel = FileChannel.open(folder.resolve(name), StandardOpenOption.READ)) {
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        }
    }

    /// Texts by their key of a band: its upper bits above the number. Two keys that differ below are told apart by the check.
    private long[] candidates(MemorySegment allKeys, int band, int count) {
        long[] packed = new long[count];
        long stride = 8L * minHash.bands();
        for (int i = 0; i < count; i++) {
            packed[i] = allKeys.get(LONG, i * stride + 8L * band) >>> ROW_BITS << ROW_BITS | i;
        }
        Arrays.parallelSort(packed);
        return packed;
    }

    private void join(long[] packed, MemorySegment allSets) {
        for (int i = 1; i < packed.length; i++) {
            int text = number(packed[i]);
            int oldest = Math.max(0, i - LOOK_BACK);
            for (int j = i - 1; j >= oldest && packed[j] >>> ROW_BITS == packed[i] >>> ROW_BITS; j--) {
                int other = number(packed[j]);
                if (groups.first(text) == groups.first(other)) continue;
                if (jaccard(text, other, allSets) >= threshold) groups.join(text, other);
            }
        }
    }

    private static int number(long packed) {
        return (int) (packed & (1L << ROW_BITS) - 1);
    }

    /// Of the smallest hashes of both sets together, the share that both have.
    private double jaccard(int a, int b, MemorySegment allSets) {
        long i = offsets[a];
        long j = offsets[b];
        long endA = offsets[a + 1];
        long endB = offsets[b + 1];
        boolean cut = endA - i == SKETCH || endB - j == SKETCH;
        int both = 0;
        int all = 0;
        while ((i < endA || j < endB) && !(cut && all == SKETCH)) {
            int left = i < endA ? allSets.get(INT, 4 * i) : Integer.MAX_VALUE;
            int right = j < endB ? allSets.get(INT, 4 * j) : Integer.MAX_VALUE;
            if (left == right) both++;
            if (left <= right) i++;
            if (right <= left) j++;
            all++;
        }
        return all == 0 ? 0 : (double) both / all;
    }

    @Override
    public void close() {
        try {
            keys.close();
            sets.close();
            Files.deleteIfExists(folder.resolve("keys"));
            Files.deleteIfExists(folder.resolve("sets"));
            Files.deleteIfExists(folder);
        } catch (IOException e) {
            throw new UncheckedIOException("temporary files in %s cannot be removed: %s".formatted(folder, e.getMessage()), e);
        }
    }
}
