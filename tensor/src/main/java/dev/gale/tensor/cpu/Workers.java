package dev.gale.tensor.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/// A fixed team of threads for loops that last microseconds: the caller takes part, idle workers spin for a moment and
/// then park. One loop runs at a time; a second caller waits. The threads are daemons.
public final class Workers implements AutoCloseable {
    /// System property that sets the number of threads, the caller included; default all processors.
    public static final String THREADS = "gale.threads";
    private static final long SPIN_NANOS = 30_000;
    private static final int CHECK_EVERY = 64;       // spins between two looks at the clock

    private final Worker[] workers;
    private volatile Job current;
    private volatile boolean closed;

    /// A body of a loop.
    @FunctionalInterface
    public interface Body {
        /// @param index  which pass of the loop, in [0, n)
        /// @param worker which of `threads()` threads runs it: scratch memory of that number is its own meanwhile
        void run(int index, int worker);
    }

    /// A body that takes a range of a longer loop.
    @FunctionalInterface
    public interface RangeBody {
        void run(long from, long to, int worker);
    }

    /// One loop: indices are taken from `next`; it is over when `done` reaches n.
    private static final class Job {
        private final Body body;
        private final int n;
        private final AtomicInteger next = new AtomicInteger();
        private final AtomicInteger done = new AtomicInteger();
        private volatile Throwable failure;

        private Job(Body body, int n) {
            this.body = body;
            this.n = n;
        }

        private void work(int worker) {
            for (int i = next.getAndIncrement(); i < n; i = next.getAndIncrement()) {
                try {
                    if (failure == null) body.run(i, worker);
                } catch (Throwable thrown) {
                    failure = thrown;
                } finally {
                    done.incrementAndGet();
                }
            }
        }
    }

    private final class Worker extends Thread {
        private final int number;
        private volatile boolean parked;

        private Worker(int number) {
            super("gale-cpu-" + number);
            this.number = number;
            setDaemon(true);
        }

        @Override
        public void run() {
            Job last = null;
            while (!closed) {
                Job job = await(last);
                if (job != null) job.work(number);
                last = job;
            }
        }

        /// The next job, or null when the team was closed.
        private Job await(Job last) {
            long deadline = System.nanoTime() + SPIN_NANOS;
            for (int spins = 1; ; spins++) {
                Job job = current;
                if (closed) return null;
                if (job != last && job != null) return job;
                Thread.onSpinWait();
                if (spins % CHECK_EVERY == 0 && System.nanoTime() > deadline) park(last);
            }
        }

        private void park(Job last) {
            parked = true;
            while ((current == last || current == null) && !closed) LockSupport.park(this);
            parked = false;
        }
    }

    /// A team of as many threads as the system property `gale.threads` says, else one per processor.
    public Workers() {
        this(defaultThreads());
    }

    /// @param threads size of the team, the caller included
    public Workers(int threads) {
        if (threads < 1) throw new IllegalArgumentException("at least one thread is needed, got " + threads);
        workers = new Worker[threads - 1];
        for (int i = 0; i < workers.length; i++) {
            workers[i] = new Worker(i + 1);
            workers[i].start();
        }
    }

    private static int defaultThreads() {
        String asked = System.getProperty(THREADS);
        if (asked == null) return Runtime.getRuntime().availableProcessors();
        try {
            return Integer.parseInt(asked.strip());
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("-D%s=%s is not a number of threads".formatted(THREADS, asked), e);
        }
    }

    /// Size of the team, the caller included.
    public int threads() {
        return workers.length + 1;
    }

    /// Runs the body for every index in [0, n), in any order, and returns when all are done.
    /// A body must not start a loop itself. Throws: what the body threw; indices that had not begun are left out then.
    public synchronized void parallelFor(int n, Body body) {
        if (n <= 1 || workers.length == 0) {
            for (int i = 0; i < n; i++) body.run(i, 0);
            return;
        }
        if (closed) throw new IllegalStateException("these workers are closed");
        Job job = new Job(body, n);
        current = job;
        for (int i = 0; i < Math.min(workers.length, n - 1); i++) {
            if (workers[i].parked) LockSupport.unpark(workers[i]);
        }
        job.work(0);
        await(job);
        if (job.failure != null) rethrow(job.failure);
    }

    private static void await(Job job) {
        long deadline = System.nanoTime() + 10 * SPIN_NANOS;
        for (int spins = 1; job.done.get() < job.n; spins++) {
            Thread.onSpinWait();
            if (spins % CHECK_EVERY == 0 && System.nanoTime() > deadline) Thread.yield();
        }
    }

    private static void rethrow(Throwable failure) {
        switch (failure) {
            case RuntimeException runtime -> throw runtime;
            case Error error -> throw error;
            default -> throw new IllegalStateException(failure);
        }
    }

    /// Splits [0, n) into ranges of at least `grain`, all but the last a multiple of `grain` long, and runs the body
    /// for each; where the borders lie depends on the number of threads.
    public void parallelRanges(long n, long grain, RangeBody body) {
        long grains = Math.ceilDiv(n, grain);
        int parts = (int) Math.min(grains, threads() == 1 ? 1 : 4L * threads());
        if (parts <= 1) {
            if (n > 0) body.run(0, n, 0);
            return;
        }
        parallelFor(parts, (part, worker) ->
                body.run(grains * part / parts * grain, Math.min(n, grains * (part + 1) / parts * grain), worker));
    }

    /// Ends the threads.
    @Override
    public void close() {
        closed = true;
        for (Worker worker : workers) LockSupport.unpark(worker);
    }
}
