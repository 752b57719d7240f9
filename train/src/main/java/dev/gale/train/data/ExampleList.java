package dev.gale.train.data;

import java.util.AbstractList;
import java.util.List;
import java.util.RandomAccess;
import java.util.stream.IntStream;

/// Tokenized examples by number, which need not be in memory: one is made when it is asked for. Their lengths are at hand.
public abstract class ExampleList extends AbstractList<Example> implements RandomAccess {

    /// Number of tokens of an example.
    public abstract int length(int index);

    /// Number of its tokens that some position learns to predict.
    public abstract int trainedTokens(int index);

    /// What was noted beside an example, 0 for nothing.
    int mark(int index) {
        return 0;
    }

    /// Examples in memory with their marks.
    static ExampleList of(List<Example> examples, int[] marks) {
        return new InMemory(List.copyOf(examples), marks);
    }

    /// Examples in memory; a list of this kind itself.
    public static ExampleList of(List<Example> examples) {
        return examples instanceof ExampleList list ? list : new InMemory(List.copyOf(examples), new int[examples.size()]);
    }

    /// Number of tokens of the longest one, 0 without any.
    public int longest() {
        return IntStream.range(0, size()).map(this::length).max().orElse(0);
    }

    /// The first `maxLength` tokens of each, without those that then have nothing to learn.
    public ExampleList cut(int maxLength) {
        int[] kept = IntStream.range(0, size()).filter(i -> learns(i, maxLength)).toArray();
        boolean asIs = kept.length == size() && IntStream.range(0, size()).allMatch(i -> length(i) <= maxLength);
        return asIs ? this : new Cut(this, kept, maxLength);
    }

    /// Whether something is left to learn of the first `maxLength` tokens of an example.
    boolean learns(int index, int maxLength) {
        return trainedTokens(index, maxLength) > 0;
    }

    private int trainedTokens(int index, int maxLength) {
        return length(index) <= maxLength || trainedTokens(index) == 0 ? trainedTokens(index)
                : get(index).first(maxLength).trainedTokens();
    }

    private static final class InMemory extends ExampleList {
        private final List<Example> examples;
        private final int[] marks;

        InMemory(List<Example> examples, int[] marks) {
            this.examples = examples;
            this.marks = marks;
        }

        @Override
        int mark(int index) {
            return marks[index];
        }

        @Override
        public Example get(int index) {
            return examples.get(index);
        }

        @Override
        public int size() {
            return examples.size();
        }

        @Override
        public int length(int index) {
            return examples.get(index).length();
        }

        @Override
        public int trainedTokens(int index) {
            return examples.get(index).trainedTokens();
        }
    }

    private static final class Cut extends ExampleList {
        private final ExampleList whole;
        private final int[] kept;
        private final int maxLength;

        Cut(ExampleList whole, int[] kept, int maxLength) {
            this.whole = whole;
            this.kept = kept;
            this.maxLength = maxLength;
        }

        @Override
        int mark(int index) {
            return whole.mark(kept[index]);
        }

        @Override
        public Example get(int index) {
            return whole.get(kept[index]).first(maxLength);
        }

        @Override
        public int size() {
            return kept.length;
        }

        @Override
        public int length(int index) {
            return Math.min(maxLength, whole.length(kept[index]));
        }

        @Override
        public int trainedTokens(int index) {
            return whole.trainedTokens(kept[index], maxLength);
        }
    }
}
