package dev.gale.train.data;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// Best-fit decreasing: the longest item first, each into the bin with the least room that still holds it, a new bin
/// when none does. Among bins of equal room the one that has had that room the longest is taken; among items of equal
/// length the earlier one goes first. So the result depends on the lengths only. O(n log n).
///
/// Source: Johnson, Demers, Ullman, Garey, Graham 1974, "Worst-case performance bounds for simple one-dimensional
/// packing algorithms": at most 11/9 of the fewest bins possible, plus 6/9.
public final class Packer {
    private Packer() {}

    /// Bins in the order in which they were opened, each the indices of its items in the order in which they were put.
    ///
    /// @param lengths lengths of the items, each at most `budget`
    /// @param budget  what the lengths of a bin may add up to
    public static List<int[]> pack(int[] lengths, int budget) {
        List<Bin> bins = new ArrayList<>();
        TreeMap<Integer, ArrayDeque<Bin>> byRoom = new TreeMap<>();
        for (int item : longestFirst(lengths, budget)) {
            Map.Entry<Integer, ArrayDeque<Bin>> fit = byRoom.ceilingEntry(lengths[item]);
            Bin bin;
            int room;
            if (fit == null) {
                bin = new Bin();
                bins.add(bin);
                room = budget - lengths[item];
            } else {
                bin = fit.getValue().removeFirst();
                if (fit.getValue().isEmpty()) byRoom.remove(fit.getKey());
                room = fit.getKey() - lengths[item];
            }
            bin.add(item);
            if (room > 0) byRoom.computeIfAbsent(room, r -> new ArrayDeque<>()).addLast(bin);
        }
        return bins.stream().map(Bin::items).toList();
    }

    private static int[] longestFirst(int[] lengths, int budget) {
        long[] keys = new long[lengths.length];
        for (int i = 0; i < lengths.length; i++) {
            if (lengths[i] > budget) {
                throw new IllegalArgumentException("item %d of length %d does not fit into bins of %d"
                        .formatted(i, lengths[i], budget));
            }
            keys[i] = (long) (Integer.MAX_VALUE - lengths[i]) << 32 | i;
        }
        Arrays.parallelSort(keys);
        return Arrays.stream(keys).mapToInt(key -> (int) key).toArray();
    }

    /// A growing list of ints: a million lists of boxed ones would be felt.
    private static final class Bin {
        private int[] items = new int[4];
        private int size;

        void add(int item) {
            if (size == items.length) items = Arrays.copyOf(items, 2 * size);
            items[size++] = item;
        }

        int[] items() {
            return Arrays.copyOf(items, size);
        }
    }
}
