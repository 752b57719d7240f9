package dev.gale.train.script;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;

/// Ends a call that takes too long or allocates too much. Memory is counted as the thread's allocations, kept or not, since the
/// heap belongs to the whole program.
final class ScriptWatch implements AutoCloseable {
    private static final long PAUSE_MILLIS = 10;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final Thread watcher = Thread.ofPlatform().daemon().name("script watch").unstarted(this::watch);
    private Call running;
    private boolean closed;

    ScriptWatch() {
        watcher.start();
    }

    /// A call that is watched.
    final class Call implements AutoCloseable {
        private final long thread = Thread.currentThread().threadId();
        private final long begin = System.nanoTime();
        private final long bytesBefore = THREADS.getThreadAllocatedBytes(thread);
        private final Duration longest;
        private final long mostBytes;
        private final Runnable end;
        private String reason;

        private Call(Duration longest, long mostBytes, Runnable end) {
            this.longest = longest;
            this.mostBytes = mostBytes;
            this.end = end;
        }

        /// Bytes allocated so far.
        long bytes() {
            return THREADS.getThreadAllocatedBytes(thread) - bytesBefore;
        }

        /// Why the call was ended, null when it was not.
        String reason() {
            synchronized (ScriptWatch.this) {
                return reason;
            }
        }

        private String excess() {
            if (bytes() > mostBytes) return "takes more than %d MB of memory in one call".formatted(mostBytes >> 20);
            if (System.nanoTime() - begin > longest.toNanos()) return "takes more than %s s for one call"
                    .formatted(seconds(longest));
            return null;
        }

        @Override
        public void close() {
            synchronized (ScriptWatch.this) {
                running = null;
            }
        }
    }

    private static String seconds(Duration time) {
        return time.toMillis() % 1000 == 0 ? String.valueOf(time.toSeconds()) : String.valueOf(time.toMillis() / 1000.0);
    }

    /// Watches what the calling thread does until the call is closed.
    ///
    /// @param end ends it, from another thread
    Call begin(Duration longest, long mostBytes, Runnable end) {
        synchronized (this) {
            running = new Call(longest, mostBytes, end);
            notifyAll();
            return running;
        }
    }

    private void watch() {
        try {
            while (true) {
                Runnable end;
                synchronized (this) {
                    while (running == null && !closed) wait();
                    if (closed) return;
                    Call call = running;
                    call.reason = call.excess();
                    end = call.reason == null ? null : call.end;
                    if (end != null) running = null;
                }
                if (end != null) end.run();
                Thread.sleep(PAUSE_MILLIS);
            }
        } catch (InterruptedException over) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
    }
}
