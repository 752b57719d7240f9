package dev.gale.train.data;

import java.util.AbstractList;
import java.util.RandomAccess;
import java.util.function.IntFunction;

/// Elements that are made when they are asked for, from numbers.
final class MappedList<T> extends AbstractList<T> implements RandomAccess {
    private final int[] numbers;
    private final IntFunction<T> element;

    MappedList(int[] numbers, IntFunction<T> element) {
        this.numbers = numbers;
        this.element = element;
    }

    @Override
    public T get(int index) {
        return element.apply(numbers[index]);
    }

    @Override
    public int size() {
        return numbers.length;
    }
}
