package dev.gale.train;

import dev.gale.peft.CalibrationBatch;
import dev.gale.peft.LoraConfig;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.data.Batch;
import dev.gale.train.data.Batches;
import dev.gale.train.data.ExampleList;
import java.util.Iterator;
import java.util.stream.IntStream;

/// The first epoch's batches of a run, for initializations that look at what goes into the layers.
///
/// @param ops       that decide how many rows a batch has
/// @param labelMask whether only trained tokens count
record Calibration(TensorOps ops, Batches batches, boolean labelMask) implements Iterable<CalibrationBatch> {

    static Calibration of(TensorOps ops, SftTrainer.Examples examples, SftConfig config, LoraConfig lora) {
        return new Calibration(ops, SftTrainer.batches(ExampleList.of(examples.train()).cut(config.maxLength()), config),
                lora.evaConfig().useLabelMask());
    }

    @Override
    public Iterator<CalibrationBatch> iterator() {
        return IntStream.range(0, batches.microBatchesPerEpoch()).mapToObj(i -> calibration(batches.microBatch(0, i)))
                .iterator();
    }

    private CalibrationBatch calibration(Batch tokens) {
        boolean[] used = new boolean[tokens.tokens()];
        for (int i = 0; i < used.length; i++) {                 // row i is trained if the one before it has it as target
            used[i] = !labelMask || tokens.positions()[i] > 0 && tokens.targets()[i - 1] != CrossEntropySpec.IGNORE;
        }
        Batch rows = tokens.padded(ops.batchRows(tokens.tokens()));
        return new CalibrationBatch(rows.ids(), rows.positions(), rows.start(), rows.stop(), used);
    }
}
