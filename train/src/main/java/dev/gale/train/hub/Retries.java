package dev.gale.train.hub;

import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.LongSupplier;

/// Repeats what fails for a while: up to `ATTEMPTS` times without progress, with waits that double, and no less than a
/// server asks for.
///
/// @param endpoint   the hub, for messages
/// @param firstDelay before the second attempt
/// @param progress   hears of attempts that failed
record Retries(URI endpoint, Duration firstDelay, PullProgress progress) {
    private static final int ATTEMPTS = 6;
    private static final Duration LONGEST_DELAY = Duration.ofSeconds(30);
    private static final Duration LONGEST_WISH = Duration.ofMinutes(5);

    /// Something to do that may fail.
    interface Attempt<T> {
        T run() throws IOException, InterruptedException;
    }

    /// A server that answered, but cannot serve now.
    static final class Busy extends IOException {
        private static final long serialVersionUID = 1L;
        private final transient Duration wait;

        /// @param wait what the server asks to wait, zero when it does not say
        Busy(int status, Duration wait) {
            super(status == 429 ? "the hub asks to slow down (429)" : "the hub answers with status " + status);
            this.wait = wait;
        }
    }

    /// @param what   what is done, for messages
    /// @param gained grows while attempts get somewhere
    ///
    /// Throws HubException after the last attempt.
    <T> T run(String what, LongSupplier gained, Attempt<T> attempt) throws InterruptedException {
        long before = gained.getAsLong();
        for (int failures = 1; ; failures++) {
            try {
                return attempt.run();
            } catch (IOException e) {
                long now = gained.getAsLong();
                if (now > before) failures = 1;
                before = now;
                if (failures == ATTEMPTS) {
                    throw new HubException(
                            "%s from %s failed %d times (%s): run the command again later, it goes on where it stopped"
                            .formatted(what, endpoint.getHost(), ATTEMPTS, problem(e)), e);
                }
                progress.retried(what, problem(e));
                Thread.sleep(delay(failures, e));
            }
        }
    }

    private Duration delay(int failures, IOException e) {
        Duration doubled = firstDelay.multipliedBy(1L << (failures - 1));
        double jitter = ThreadLocalRandom.current().nextDouble(0.75, 1.25);
        Duration own = Duration.ofMillis((long) (Math.min(doubled.toMillis(), LONGEST_DELAY.toMillis()) * jitter));
        Duration asked = e instanceof Busy busy ? busy.wait : Duration.ZERO;
        if (asked.compareTo(LONGEST_WISH) > 0) asked = LONGEST_WISH;
        return asked.compareTo(own) > 0 ? asked : own;
    }

    private static String problem(IOException e) {
        String message = e.getMessage();
        return message == null || message.isBlank() ? e.getClass().getSimpleName() : message.lines().findFirst().orElse("");
    }
}
