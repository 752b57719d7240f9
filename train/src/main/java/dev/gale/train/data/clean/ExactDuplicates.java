package dev.gale.train.data.clean;

/// Remembers texts by their keys, 20 bytes each in an open table, with the number that had them first.
public final class ExactDuplicates {
    private long[] high = new long[1 << 12];
    private long[] low = new long[1 << 12];
    private int[] lines = new int[1 << 12];
    private int size;

    /// The number that had the text before; -1 when none had it, and then it is remembered.
    public int firstOrAdd(TextKey key, int line) {
        if (size * 3 > high.length * 2) grow();
        int slot = slot(key.high(), key.low());
        if (high[slot] != 0) return lines[slot];
        put(slot, key.high(), key.low(), line);
        size++;
        return -1;
    }

    /// Where the key is, or would be. A used slot has an odd `high`.
    private int slot(long keyHigh, long keyLow) {
        int mask = high.length - 1;
        int slot = (int) keyLow & mask;
        while (high[slot] != 0 && (high[slot] != keyHigh || low[slot] != keyLow)) slot = slot + 1 & mask;
        return slot;
    }

    private void put(int slot, long keyHigh, long keyLow, int line) {
        high[slot] = keyHigh;
        low[slot] = keyLow;
        lines[slot] = line;
    }

    private void grow() {
        long[] oldHigh = high;
        long[] oldLow = low;
        int[] oldLines = lines;
        high = new long[2 * oldHigh.length];
        low = new long[2 * oldHigh.length];
        lines = new int[2 * oldHigh.length];
        for (int i = 0; i < oldHigh.length; i++) {
            if (oldHigh[i] != 0) put(slot(oldHigh[i], oldLow[i]), oldHigh[i], oldLow[i], oldLines[i]);
        }
    }
}
