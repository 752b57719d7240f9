package dev.gale.nn;

import dev.gale.tensor.ops.TensorOps;
import java.util.LinkedHashMap;
import java.util.Map;

/// The rotary tables of a model, made when a sequence first needs them: as many rows as were asked for, rounded up, so
/// that a context of 131,072 tokens costs memory only when it is used.
final class RopeTables implements AutoCloseable {
    private static final int SMALLEST = 256;
    private static final int KEPT = 4;

    private final TensorOps ops;
    private final ModelConfig config;
    private final int maxSeqLen;
    private final Map<Key, RopeTable> tables = new LinkedHashMap<>();

    private record Key(int variant, int rows) {}

    /// @param maxSeqLen longest sequence, which may differ from what the model was trained for
    RopeTables(TensorOps ops, ModelConfig config, int maxSeqLen) {
        this.ops = ops;
        this.config = config;
        this.maxSeqLen = maxSeqLen;
    }

    /// The table for a batch whose longest sequence has `length` tokens. It stays valid while the next three others
    /// are in use.
    RopeTable forLength(int length) {
        Key key = new Key(RopeTable.variant(config, length), rows(length));
        RopeTable known = tables.remove(key);
        if (known == null && tables.size() == KEPT) tables.remove(tables.keySet().iterator().next()).release(ops);
        RopeTable table = known != null ? known : RopeTable.of(ops, config, key.rows(), length);
        tables.put(key, table);                                  // last is most recently used
        return table;
    }

    private int rows(int length) {
        int rounded = length <= SMALLEST ? SMALLEST : Integer.highestOneBit(length - 1) << 1;
        return Math.min(rounded, maxSeqLen);
    }

    @Override
    public void close() {
        tables.values().forEach(table -> table.release(ops));
        tables.clear();
    }
}
