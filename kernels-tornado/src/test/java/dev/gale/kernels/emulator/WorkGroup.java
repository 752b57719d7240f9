package dev.gale.kernels.emulator;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import uk.ac.manchester.tornado.api.KernelContext;

/// Runs the groups of a grid one after the other, and of a group one thread at a time. A thread keeps its turn until it
/// waits or ends; then the next that is ready goes on. Each waiting thread keeps a coroutine; those that never wait share
/// one.
final class WorkGroup {
    private static final StackWalker WALKER = StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE);
    /// Frames of the emulator above a kernel that calls a barrier, or an operation of a warp.
    private static final int BARRIER_FRAMES = 3;
    private static final int WARP_FRAMES = 4;

    /// Of which groups it is compared where their threads wait.
    enum Sites { NONE, ENDS, ALL }

    final Extent shape;
    final LocalMemory local;
    private final Extent groups;
    private final Order order;
    private final Random random;
    private final Sites sites;
    private final Consumer<KernelContext> kernel;

    private final Strand[] strands;
    private final Warp[] warps;
    private final int[] turns;
    private final int[] groupTurns;
    private final ArrayDeque<Strand> ready = new ArrayDeque<>();
    private final ArrayDeque<Coroutine> idle = new ArrayDeque<>();
    private Extent place;
    private int nextGroup;
    private boolean compareSites;
    private int finished;
    private int atBarrier;
    private Strand running;
    private Throwable failure;

    WorkGroup(Extent grid, Extent shape, Order order, long seed, boolean otherPoison, Sites sites,
              Consumer<KernelContext> kernel) {
        this.shape = shape;
        this.groups = grid.dividedBy(shape);
        this.order = order;
        this.random = new Random(seed);
        this.sites = sites;
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
        while (nextGroup < groupTurns.length) {
            beginGroup();
            while (finished < strands.length) {
                running = ready.poll();
                if (running == null) throw fault(new KernelFault(deadlock()));
                if (running.coroutine == null) running.coroutine = idle.isEmpty() ? coroutine() : idle.poll();
                running.coroutine.run();
                if (failure != null) throw fault(failure);
            }
            try {
                for (Warp warp : warps) warp.checkFinished();
            } catch (KernelFault e) {
                throw fault(e);
            }
        }
    }

    private void beginGroup() {
        compareSites = sites == Sites.ALL
                || sites == Sites.ENDS && (nextGroup == 0 || nextGroup == groupTurns.length - 1);
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

    private Coroutine coroutine() {
        Coroutine[] own = new Coroutine[1];
        own[0] = new Coroutine(() -> {
            while (true) {
                runThreads(own[0]);
                idle.add(own[0]);
                Coroutine.pause();
            }
        });
        return own[0];
    }

    /// Runs the thread whose turn it is to its end, and then those that are next and have not begun.
    private void runThreads(Coroutine here) {
        try {
            while (true) {
                Strand strand = running;
                strand.coroutine = here;
                kernel.accept(strand.context);
                strand.finished = true;
                finished++;
                if (ready.isEmpty() || ready.peek().coroutine != null) return;
                running = ready.poll();
            }
        } catch (Throwable e) {
            failure = e;
        }
    }

    /// Gives the turn away until this thread, whose `waitsAt` says why, is ready and its turn comes.
    void await(Strand strand) {
        if (ready.peek() == strand) ready.poll();
        else Coroutine.pause();
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
        if (a.getByteCodeIndex() == b.getByteCodeIndex() && a.getDeclaringClass() == b.getDeclaringClass()
                && a.getMethodName().equals(b.getMethodName())) return;
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
        return Strand.line(strand.coroutine.stack());
    }

    /// What the thread whose turn it was ran into.
    private KernelFault fault(Throwable e) {
        String what = e instanceof KernelFault ? e.getMessage() : e.getClass().getSimpleName() + ": " + e.getMessage();
        String who = e.getMessage() != null && e.getMessage().startsWith("divergence") ? "group " + place
                : "%s of group %s, %s".formatted(running, place, Strand.line(e.getStackTrace()));
        return new KernelFault("%s: %s (order %s; %s)".formatted(who, what, order.name().toLowerCase(), local), e);
    }
}
