package dev.gale.kernels.emulator;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/// One thread of a group, and what it waits for.
final class Strand {
    final WorkGroup group;
    final int index;
    final Extent place;
    final Warp warp;
    final EmulatedContext context;

    /// What runs it, once it runs.
    Coroutine coroutine;
    boolean finished;
    /// What it waits at; null when it does not wait.
    String waitsAt;
    /// Where it stands, in runs that compare this.
    StackWalker.StackFrame site;

    int localArrays;
    int multiplied;
    private List<Copy> copies = new ArrayList<>();
    private final ArrayDeque<List<Copy>> committed = new ArrayDeque<>();

    private record Copy(int[] tile, int index, int value) {}

    Strand(WorkGroup group, int index, Extent place, Warp warp) {
        this.group = group;
        this.index = index;
        this.place = place;
        this.warp = warp;
        this.context = new EmulatedContext(this);
    }

    int lane() {
        return index & Warp.LANES - 1;
    }

    void reset() {
        coroutine = null;
        finished = false;
        waitsAt = null;
        localArrays = 0;
        multiplied = 0;
        copies = new ArrayList<>();
        committed.clear();
    }

    void startCopy(int[] tile, int at, int value) {
        tile[at] = group.local.poison();
        copies.add(new Copy(tile, at, value));
    }

    void commitCopies() {
        committed.add(copies);
        copies = new ArrayList<>();
    }

    void awaitCopies(int unfinished) {
        while (committed.size() > unfinished) {
            for (Copy copy : committed.remove()) copy.tile[copy.index] = copy.value;
        }
    }

    /// The kernel's line that waits or fails, from a stack.
    static String line(StackTraceElement[] stack) {
        if (stack.length == 0) return "a line that the JVM no longer records without -XX:-OmitStackTraceInFastThrow";
        for (StackTraceElement frame : stack) {
            boolean own = frame.getClassName().startsWith("dev.gale.kernels.emulator.")
                    && !frame.getClassName().contains("Test");
            if (own || frame.getClassName().startsWith("java.") || frame.getClassName().startsWith("jdk.")
                    || frame.getClassName().startsWith("uk.ac.manchester.tornado.")) continue;
            return frame.getFileName() + ":" + frame.getLineNumber();
        }
        return "an unknown line";
    }

    @Override
    public String toString() {
        return "thread " + place;
    }
}
