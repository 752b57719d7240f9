package dev.gale.train.hub;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;

/// Closes a stream that has been silent too long, so that whoever reads from it goes on with an error.
final class StallGuard implements AutoCloseable {
    private final Duration longest;
    private final Thread watch;
    private volatile long heard = System.nanoTime();
    private volatile boolean stalled;

    StallGuard(InputStream stream, Duration longest) {
        this.longest = longest;
        this.watch = Thread.ofVirtual().start(() -> watch(stream));
    }

    private void watch(InputStream stream) {
        try {
            while (System.nanoTime() - heard < longest.toNanos()) Thread.sleep(Math.max(10, longest.toMillis() / 8));
            stalled = true;
            stream.close();
        } catch (InterruptedException | IOException over) {
            Thread.currentThread().interrupt();
        }
    }

    /// Something arrived.
    void hear() {
        heard = System.nanoTime();
    }

    /// Throws IOException when the stream was closed for its silence.
    void requireAlive() throws IOException {
        if (stalled) throw new IOException("nothing arrived for %d s".formatted(longest.toSeconds()));
    }

    @Override
    public void close() {
        watch.interrupt();
    }
}
