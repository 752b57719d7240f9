package dev.gale.train.data;

import dev.gale.tensor.InputException;
import dev.gale.train.SftConfig;
import dev.gale.train.tokenizer.Tokenizer;
import java.nio.file.Path;

/// What a run does with its data, for a JVM of its own: reads it, tokenizes it, holds some of it out, and goes through an
/// epoch of shuffled packs. Prints numbers of rows, examples and tokens, or what was refused.
final class StreamingProbe {
    private StreamingProbe() {}

    /// @param args data, tokenizer, folder of the cache
    public static void main(String[] args) {
        DatasetConfig config = DatasetConfig.builder(Path.of(args[0])).cacheDir(Path.of(args[2])).testSize(0.01).build();
        try (Tokenizer tokenizer = Tokenizer.load(Path.of(args[1]))) {
            Dataset dataset = Dataset.load(config);
            SftConfig options = SftConfig.builder().build();
            ExampleList examples = dataset.examples(tokenizer, options);
            long held = 0;
            for (Batch batch : Batches.inOrder(dataset.evalExamples(tokenizer, options), 8)) held += batch.tokens();
            Batches batches = new Batches(examples, BatchOptions.packed(4, 1024, 3));
            long tokens = 0;
            for (int i = 0; i < batches.microBatchesPerEpoch(); i++) tokens += batches.microBatch(0, i).tokens();
            System.out.println(dataset.rows() + " " + dataset.evalRows() + " " + tokens + " " + held);
        } catch (InputException e) {
            System.out.println(e.getMessage());
        }
    }
}
