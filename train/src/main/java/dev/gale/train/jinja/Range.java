package dev.gale.train.jinja;

import java.util.AbstractList;

/// A Python range; as a Java list it is read-only. At most [#MAX_SIZE] items, as in jinja2's sandbox.
final class Range extends AbstractList<Object> {
    static final int MAX_SIZE = 100_000;

    final long start;
    final long stop;
    final long step;
    private final int size;

    Range(long start, long stop, long step) {
        if (step == 0) {
            throw TemplateException.value("range() arg 3 must not be zero");
        }
        this.start = start;
        this.stop = stop;
        this.step = step;
        double count = Math.ceil(((double) stop - start) / step);
        if (count > MAX_SIZE) {
            throw new TemplateException(TemplateException.Kind.OVERFLOW,
                    "Range too big. The sandbox blocks ranges larger than MAX_RANGE (" + MAX_SIZE + ").");
        }
        size = (int) Math.max(0, count);
    }

    @Override
    public Object get(int index) {
        return start + java.util.Objects.checkIndex(index, size) * step;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public String toString() {
        return "range(" + start + ", " + stop + (step == 1 ? ")" : ", " + step + ")");
    }
}
