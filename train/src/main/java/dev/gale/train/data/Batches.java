package dev.gale.train.data;

import dev.gale.tensor.InputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;

/// The micro-batches of a run, in an order that is a function of seed and epoch. The place in it is two numbers, so a
/// run that resumes gets exactly the batches that it would have got.
///
/// A micro-batch has `batchSize` units: examples, or, when packing, bins of at most `maxLength` tokens. The units of an
/// epoch are shuffled; the last micro-batch of an epoch may be smaller (`dropLast` leaves it out), and so may the last
/// window of accumulated micro-batches, which is a step all the same, as in Transformers' Trainer.
public final class Batches {
    private final ExampleList examples;
    private final BatchOptions options;
    /// Examples of each pack; null when an example is a unit.
    private final List<int[]> packs;
    private int epoch;
    private int next;
    private int orderedEpoch = -1;
    private int[] order;

    /// Throws InputException when there is no example, or not one full batch with `dropLast`.
    public Batches(List<Example> examples, BatchOptions options) {
        this.examples = ExampleList.of(examples);
        this.options = options;
        this.packs = options.packing() ? Packer.pack(lengths(), options.maxLength()) : null;
        if (units() == 0) {
            throw new InputException("there is no example to train on; look for an empty dataset or for rows without "
                    + "a trained token");
        }
        if (microBatchesPerEpoch() == 0) {
            throw new InputException("dataloader_drop_last leaves nothing: %d %s are fewer than one batch of %d"
                    .formatted(units(), options.packing() ? "packs" : "examples", options.batchSize()));
        }
    }

    /// All examples once in their order, `batchSize` at a time, each made when it is asked for: for evaluation.
    public static List<Batch> inOrder(List<Example> examples, int batchSize) {
        int[] first = IntStream.iterate(0, i -> i < examples.size(), i -> i + batchSize).toArray();
        return new MappedList<>(first, i -> Batch.of(examples.subList(i, Math.min(i + batchSize, examples.size()))));
    }

    private int[] lengths() {
        return IntStream.range(0, examples.size()).map(examples::length).toArray();
    }

    private IntStream unit(int number) {
        return packs == null ? IntStream.of(number) : IntStream.of(packs.get(number));
    }

    /// The micro-batches of the next optimizer step: `accumulation` of them, fewer at the end of an epoch.
    public List<Batch> nextStep(int accumulation) {
        if (atEpochEnd()) {
            epoch++;
            next = 0;
        }
        List<Batch> step = new ArrayList<>(accumulation);
        while (step.size() < accumulation && next < microBatchesPerEpoch()) step.add(microBatch(epoch, next++));
        return step;
    }

    /// Micro-batch `index` of an epoch, wherever the cursor stands.
    public Batch microBatch(int inEpoch, int index) {
        return Batch.of(members(inEpoch, index).mapToObj(examples::get).toList());
    }

    /// The number of its tokens.
    public int tokens(int inEpoch, int index) {
        return members(inEpoch, index).map(examples::length).sum();
    }

    private IntStream members(int inEpoch, int index) {
        int from = index * options.batchSize();
        int to = Math.min(from + options.batchSize(), units());
        int[] shuffled = order(inEpoch);
        return IntStream.range(from, to).flatMap(i -> unit(shuffled[i]));
    }

    /// Micro-batches of an epoch.
    public int microBatchesPerEpoch() {
        return options.dropLast() ? units() / options.batchSize() : Math.ceilDiv(units(), options.batchSize());
    }

    /// Optimizer steps of an epoch: a last window that is not full counts.
    public int stepsPerEpoch(int accumulation) {
        return Math.ceilDiv(microBatchesPerEpoch(), accumulation);
    }

    /// Optimizer steps of that many epochs, rounded up, at least 1.
    public int stepsOf(double epochs, int accumulation) {
        return (int) Math.max(1, Math.ceil(epochs * stepsPerEpoch(accumulation)));
    }

    /// Epochs gone through, the current one in part.
    public double epoch() {
        return epoch + (double) next / microBatchesPerEpoch();
    }

    /// Whether the last step ended an epoch.
    public boolean atEpochEnd() {
        return next == microBatchesPerEpoch();
    }

    /// Number of examples.
    public int examples() {
        return examples.size();
    }

    /// Number of units that are shuffled: examples or packs.
    public int units() {
        return packs == null ? examples.size() : packs.size();
    }

    /// The largest micro-batch that any order of the units can give: what memory must suffice for.
    public Batch largest() {
        IntStream longest = IntStream.range(0, units()).mapToLong(unit -> (long) -length(unit) << 32 | unit).sorted()
                .limit(options.batchSize()).mapToInt(key -> (int) key);
        return Batch.of(longest.flatMap(this::unit).mapToObj(examples::get).toList());
    }

    /// The place in the order and what the order depends on, for a checkpoint.
    public Map<String, Object> state() {
        Map<String, Object> state = new LinkedHashMap<>(identity());
        state.put("epoch", epoch);
        state.put("micro_batch", next);
        return state;
    }

    /// Goes on where `state` was taken.
    ///
    /// @param place the checkpoint, for the message
    ///
    /// Throws InputException when it belongs to other data or to other options.
    public void restore(Map<String, Object> state, String place) {
        identity().forEach((key, value) -> {
            Object saved = state.get(key);
            if (!Objects.equals(String.valueOf(saved), String.valueOf(value))) {
                throw new InputException("%s was made with %s %s, but this run has %s; use the same data and "
                        .formatted(place, key, saved, value) + "options to resume");
            }
        });
        int savedEpoch = number(state, "epoch", place);
        int savedNext = number(state, "micro_batch", place);
        if (savedEpoch < 0 || savedNext < 0 || savedNext > microBatchesPerEpoch()) {
            throw new InputException("%s has a data cursor beyond the data; resume from another checkpoint"
                    .formatted(place));
        }
        epoch = savedEpoch;
        next = savedNext;
    }

    private static int number(Map<String, Object> state, String key, String place) {
        if (state.get(key) instanceof Number number) return number.intValue();
        throw new InputException("%s has no data cursor (%s); resume from another checkpoint".formatted(place, key));
    }

    private Map<String, Object> identity() {
        Map<String, Object> identity = new LinkedHashMap<>();
        identity.put("examples", examples.size());
        identity.put("tokens", IntStream.of(lengths()).asLongStream().sum());
        identity.put("data_seed", options.seed());
        identity.put("per_device_train_batch_size", options.batchSize());
        identity.put("packing", options.packing());
        if (options.packing()) identity.put("max_length", options.maxLength());
        identity.put("group_by_length", options.groupByLength());
        identity.put("dataloader_drop_last", options.dropLast());
        return identity;
    }

    private int[] order(int inEpoch) {
        if (orderedEpoch != inEpoch) {
            order = Shuffle.permutation(units(), options.seed(), inEpoch);
            if (options.groupByLength()) groupByLength(order);
            orderedEpoch = inEpoch;
        }
        return order;
    }

    /// Sorts runs of 50 batches by length, longest first, and takes the longest unit of all to the front, so that a
    /// batch holds similar lengths and a lack of memory shows at once. Source: Transformers' `LengthGroupedSampler`.
    private void groupByLength(int[] shuffled) {
        int run = 50 * options.batchSize();
        for (int from = 0; from < shuffled.length; from += run) {
            int to = Math.min(from + run, shuffled.length);
            int[] sorted = Arrays.stream(shuffled, from, to).boxed()
                    .sorted(Comparator.comparingInt(this::length).reversed())
                    .mapToInt(Integer::intValue).toArray();
            System.arraycopy(sorted, 0, shuffled, from, sorted.length);
        }
        int longest = 0;
        for (int from = run; from < shuffled.length; from += run) {
            if (length(shuffled[from]) > length(shuffled[longest])) longest = from;
        }
        int first = shuffled[0];
        shuffled[0] = shuffled[longest];
        shuffled[longest] = first;
    }

    private int length(int unit) {
        return unit(unit).map(examples::length).sum();
    }
}
