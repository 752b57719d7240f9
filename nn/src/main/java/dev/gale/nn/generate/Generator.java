package dev.gale.nn.generate;

import dev.gale.nn.CausalLm;
import dev.gale.nn.KvCache;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.TensorOps;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// Continues prompts token by token. Prompts are read one by one, then decoded in groups, so that a batch gives
/// what each prompt gives alone.
public final class Generator {
    /// Sequences that are decoded together: as many rows as implementations multiply by weights row by row, without
    /// the rows of other sequences changing the order of any sum.
    private static final int GROUP = 8;

    private final CausalLm model;
    private final TensorOps ops;

    public Generator(CausalLm model) {
        this.model = model;
        this.ops = model.ops();
    }

    /// The new tokens of each prompt; an end-of-sequence token is the last of them when one came.
    /// A sequence also ends when it fills the model's context.
    /// Throws: InputException when a prompt is empty or leaves no room in the context.
    public List<int[]> generate(List<int[]> prompts, GenerationConfig config) {
        return generate(prompts, config, (sequence, token) -> true);
    }

    /// As above; the listener hears each token and may end its sequence.
    public List<int[]> generate(List<int[]> prompts, GenerationConfig config, TokenListener listener) {
        for (int i = 0; i < prompts.size(); i++) check(i, prompts.get(i));
        List<int[]> results = new ArrayList<>();
        int size = model.config().rope().changesAt() < model.maxSeqLen() ? 1 : GROUP;
        for (int from = 0; from < prompts.size(); from += size) {
            List<Sequence> group = new ArrayList<>();
            for (int i = from; i < Math.min(from + size, prompts.size()); i++) {
                group.add(new Sequence(i, prompts, config, model.maxSeqLen()));
            }
            decode(group, new LogitsProcessor(config), listener);
            group.forEach(sequence -> results.add(sequence.generated()));
        }
        return results;
    }

    private void check(int index, int[] prompt) {
        if (prompt.length == 0) {
            throw new InputException("prompt %d has no tokens; give at least one".formatted(index + 1));
        }
        if (prompt.length >= model.maxSeqLen()) {
            throw new InputException(("prompt %d has %d tokens, which leaves no room in the model's context of %d; "
                    + "shorten it").formatted(index + 1, prompt.length, model.maxSeqLen()));
        }
        for (int token : prompt) {
            if (token < 0 || token >= model.config().vocabSize()) {
                throw new InputException(("prompt %d holds token %d, but the model's vocabulary has %d; use the "
                        + "tokenizer of this model").formatted(index + 1, token, model.config().vocabSize()));
            }
        }
    }

    /// One prompt and what became of it.
    private static final class Sequence {
        private final int index;
        private final int promptLength;
        private final int limit;
        private final GenerationConfig config;
        private final Sampler sampler;
        private int[] tokens;
        private boolean ended;

        Sequence(int index, List<int[]> prompts, GenerationConfig config, int context) {
            this.index = index;
            this.config = config;
            tokens = prompts.get(index);
            promptLength = tokens.length;
            limit = (int) Math.min(context, (long) promptLength + config.maxNewTokens());
            int repeat = (int) prompts.subList(0, index).stream().filter(other -> Arrays.equals(other, tokens)).count();
            sampler = new Sampler(config, tokens, repeat);
        }

        void take(float[] logits, LogitsProcessor processor, TokenListener listener) {
            processor.process(logits, tokens);
            int token = sampler.next(logits);
            tokens = Arrays.copyOf(tokens, tokens.length + 1);
            tokens[tokens.length - 1] = token;
            boolean goOn = listener.onToken(index, token);
            ended = !goOn || tokens.length == limit || config.eosTokenIds().contains(token);
        }

        int[] generated() {
            return Arrays.copyOfRange(tokens, promptLength, tokens.length);
        }
    }

    private void decode(List<Sequence> group, LogitsProcessor processor, TokenListener listener) {
        while (true) {
            boolean changes = decodeUntilRopeChanges(group, processor, listener);
            if (!changes) return;
        }
    }

    /// Returns: whether the keys that are cached are no more those of the model, and a sequence, the only one of its group,
    /// goes on from all of its tokens.
    private boolean decodeUntilRopeChanges(List<Sequence> group, LogitsProcessor processor, TokenListener listener) {
        int[] capacities = group.stream().mapToInt(sequence -> sequence.limit).toArray();
        int change = model.config().rope().changesAt();
        try (KvCache cache = new KvCache(ops, model.config(), capacities)) {
            for (int i = 0; i < group.size(); i++) {
                Sequence sequence = group.get(i);
                float[] logits = lastLogits(cache, new int[] {i}, new int[][] {sequence.tokens});
                sequence.take(logits, processor, listener);
            }
            for (int[] active = active(group); active.length > 0; active = active(group)) {
                if (cache.length(0) <= change && group.getFirst().tokens.length > change) return true;
                int[][] newest = Arrays.stream(active).mapToObj(i -> group.get(i).tokens)
                        .map(tokens -> new int[] {tokens[tokens.length - 1]}).toArray(int[][]::new);
                float[] logits = lastLogits(cache, active, newest);
                int vocab = logits.length / active.length;
                for (int row = 0; row < active.length; row++) {
                    group.get(active[row]).take(Arrays.copyOfRange(logits, row * vocab, (row + 1) * vocab), processor,
                            listener);
                }
            }
            return false;
        }
    }

    private static int[] active(List<Sequence> group) {
        return IntStream.range(0, group.size()).filter(i -> !group.get(i).ended).toArray();
    }

    /// Logits after the last new token of each sequence, one row each.
    private float[] lastLogits(KvCache cache, int[] sequences, int[][] tokens) {
        KvCache.Step step = cache.append(sequences, tokens);
        Tensor lastRows = ops.allocate("last rows", DType.I32, Shape.of(sequences.length));
        try (Tape tape = Tape.inference(ops)) {
            int[] last = new int[sequences.length];
            for (int i = 0, row = -1; i < last.length; i++) last[i] = row += tokens[i].length;
            ops.write(lastRows, last);
            Tensor hidden = model.hidden(tape, cache, step);                                     // [M, D]
            Tensor selected = tape.allocate("last hidden", Shape.of(last.length, hidden.cols()));
            ops.gatherRows(selected, hidden, lastRows);
            tape.done(hidden);
            return ops.toFloats(model.logits(tape, selected));
        } finally {
            ops.release(lastRows);
            step.release(ops);
        }
    }
}
