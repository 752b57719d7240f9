package dev.gale.kernels.emulator;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import uk.ac.manchester.tornado.api.KernelContext;

/// Runs the groups of a grid one after the other, and of a group one thread at a time. A thread keeps its turn until it
/// waits or ends, then hands it to the next that is ready. Each waiting thread keeps a virtual thread; those that never
/// wait share one.
final class WorkGroup {
    private static final StackWalker WALKER = StackWalker.getInstance();
    /// Frames of the emulator above a kernel that calls a barrier, or an operation of a warp.
    private static final int BARRIER_FRAMES = 3;
    private static final int WARP_FRAMES = 4;

    final Extent shape;
    final LocalMemory local;
    private final Extent groups;
    private final Order order;
    private final Random random;
    private final boolean compareSites;
    private final Consumer<KernelContext> kernel;

    private final Strand[] strands;
    private final Warp[] warps;
    private final int[] turns;
    private final int[] groupTurns;
    private final ArrayDeque<Strand> ready = new ArrayDeque<>();
    private final CountDownLatch end = new CountDownLatch(1);
    private Extent place;
    private int nextGroup;
    private int finished;
    private int atBarrier;
    private volatile KernelFault fault;

    /// Ends a thread of a group that failed elsewhere.
    private static final class Abandoned extends Error {
        Abandoned() {
            super("abandoned", null, false, false);
        }
    }

    WorkGroup(Extent grid, Extent shape, Order order, long seed, boolean otherPoison, boolean compareSites,
              Consumer<KernelContext> kernel) {
        this.shape = shape;
        this.groups = grid.dividedBy(shape);
        this.order = order;
        this.random = new Random(seed);
        this.compareSites = compareSites;
        this.kernel = kernel;
        this.local = new LocalMemory(otherPoison);
        this.warps = new Warp[shape.x() % Warp.LANES == 0 ? shape.size() / Warp.LANES : 0];
        Arrays.setAll(warps, i -> new Warp(this));
        this.strands = new Strand[shape.size()];
        for (int i = 0; i < strands.length; i++) {
            Warp warp = warps.length == 0 ? null : warps[i / Warp.LANES];
            strands[i] = new Strand(this, i, shape.place(i), warp);
            if (warp != null) warp.add(strands[i]);
            ThreadIds.place(strands[i].context, strands[i].place, grid, shape);
        }
        this.turns = new int[strands.length];
        this.groupTurns = new int[groups.size()];
        order.arrange(groupTurns, random);
    }

    void run() {
        beginGroup();
        start(take());
        boolean interrupted = false;
        while (true) {
            try {
                end.await();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) Thread.currentThread().interrupt();
        if (fault != null) throw fault;
    }

    private void beginGroup() {
        place = groups.place(groupTurns[nextGroup++]);
        finished = 0;
        atBarrier = 0;
        local.reset();
        for (Warp warp : warps) warp.reset();
        for (Strand strand : strands) {
            strand.reset();
            ThreadIds.move(strand.context, place, strand.place, shape);
        }
        queueAll();
    }

    private void queueAll() {
        order.arrange(turns, random);
        for (int turn : turns) ready.add(strands[turn]);
    }

    private void start(Strand strand) {
        Thread.ofVirtual().start(() -> runFrom(strand));
    }

    /// Runs threads that have not begun until the turn goes to one that waits on its own virtual thread.
    private void runFrom(Strand first) {
        Strand strand = first;
        try {
            while (strand != null) {
                strand.thread = Thread.currentThread();
                strand.started = true;
                kernel.accept(strand.context);
                strand.finished = true;
                finished++;
                strand = afterEnd();
            }
        } catch (Abandoned e) {
            return;
        } catch (Throwable e) {
            fail(strand, e);
        }
    }

    /// The next thread to run here; null when the turn went elsewhere or the grid is done.
    private Strand afterEnd() {
        if (finished == strands.length) {
            for (Warp warp : warps) warp.checkFinished();
            if (nextGroup == groupTurns.length) {
                end.countDown();
                return null;
            }
            beginGroup();
        }
        Strand next = take();
        if (!next.started) return next;
        resume(next);
        return null;
    }

    private Strand take() {
        Strand next = ready.poll();
        if (next == null) throw new KernelFault(deadlock());
        return next;
    }

    private static void resume(Strand strand) {
        strand.mayGo = true;
        LockSupport.unpark(strand.thread);
    }

    /// Gives the turn away until this thread, whose `waitsAt` says why, is ready and its turn comes.
    void await(Strand strand) {
        Strand next = take();
        if (next != strand) {
            if (next.started) resume(next);
            else start(next);
            while (!strand.mayGo) LockSupport.park(this);
            strand.mayGo = false;
            if (fault != null) throw new Abandoned();
        }
    }

    void release(Strand strand) {
        strand.waitsAt = null;
        ready.add(strand);
    }

    /// Lanes go on at once, before other warps, in the order of the run.
    void releaseFirst(List<Strand> lanes) {
        int[] lane = new int[lanes.size()];
        order.arrange(lane, random);
        for (int i = lane.length - 1; i >= 0; i--) {
            lanes.get(lane[i]).waitsAt = null;
            ready.addFirst(lanes.get(lane[i]));
        }
    }

    void barrier(Strand strand, String name) {
        compareSites(strand, null);
        strand.waitsAt = name;
        if (++atBarrier == strands.length) {
            compareAll(Arrays.asList(strands));
            atBarrier = 0;
            for (Strand each : strands) each.waitsAt = null;
            queueAll();
        }
        await(strand);
    }

    /// Remembers where a thread stands, and compares that with the waiting ones of its warp.
    void compareSites(Strand strand, List<Strand> lanes) {
        if (!compareSites) return;
        int own = lanes == null ? BARRIER_FRAMES : WARP_FRAMES;
        strand.site = WALKER.walk(frames -> frames.skip(own).findFirst()).orElseThrow();
        if (lanes == null) return;
        for (Strand lane : lanes) {
            if (lane == strand || lane.waitsAt == null) continue;
            checkSame(lane, strand);
            return;
        }
    }

    private void compareAll(List<Strand> waiting) {
        if (!compareSites) return;
        for (Strand strand : waiting) checkSame(waiting.getFirst(), strand);
    }

    private static void checkSame(Strand one, Strand other) {
        StackWalker.StackFrame a = one.site;
        StackWalker.StackFrame b = other.site;
        if (a.getByteCodeIndex() == b.getByteCodeIndex() && a.getMethodName().equals(b.getMethodName())
                && a.getClassName().equals(b.getClassName())) return;
        throw new KernelFault("divergence: %s waits at %s:%d, %s at %s:%d".formatted(one, a.getFileName(),
                a.getLineNumber(), other, b.getFileName(), b.getLineNumber()));
    }

    private String deadlock() {
        StringBuilder text = new StringBuilder("divergence:");
        for (Strand strand : strands) {
            if (strand.waitsAt == null || strand.finished) continue;
            text.append(" %s waits at %s, %s,".formatted(strand, strand.waitsAt, where(strand)));
            break;
        }
        for (Strand strand : strands) {
            if (!strand.finished) continue;
            return text.append(" but %s has ended".formatted(strand)).toString();
        }
        Strand first = Arrays.stream(strands).filter(strand -> strand.waitsAt != null).findFirst().orElseThrow();
        for (Strand strand : strands) {
            if (strand.waitsAt.equals(first.waitsAt)) continue;
            return text.append(" but %s at %s, %s".formatted(strand, strand.waitsAt, where(strand))).toString();
        }
        return text.append(" and nobody can go on").toString();
    }

    private static String where(Strand strand) {
        return Strand.line(strand.thread.getStackTrace());
    }

    private void fail(Strand strand, Throwable e) {
        String what = e instanceof KernelFault ? e.getMessage() : e.getClass().getSimpleName() + ": " + e.getMessage();
        String who = e.getMessage() != null && e.getMessage().startsWith("divergence") ? "group " + place
                : "%s of group %s, %s".formatted(strand, place, Strand.line(e.getStackTrace()));
        fault = new KernelFault("%s: %s (order %s; %s)".formatted(who, what, order.name().toLowerCase(), local), e);
        for (Strand each : strands) if (each.started && !each.finished && each != strand) resume(each);
        end.countDown();
    }
}
