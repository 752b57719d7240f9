package dev.gale.tensor.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLongArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WorkersTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void everyIndexRunsOnceAndWorkersHaveTheirOwnNumbers(int threads) {
        try (Workers workers = new Workers(threads)) {
            for (int n : new int[] {0, 1, 2, 7, 1000}) {
                AtomicIntegerArray runs = new AtomicIntegerArray(n);
                AtomicIntegerArray busy = new AtomicIntegerArray(threads);
                workers.parallelFor(n, (i, worker) -> {
                    assertEquals(1, busy.incrementAndGet(worker), "two bodies with the same number at a time");
                    runs.incrementAndGet(i);
                    busy.decrementAndGet(worker);
                });
                for (int i = 0; i < n; i++) assertEquals(1, runs.get(i));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void rangesCoverEverythingOnceAndBeginAtMultiplesOfTheGrain(int threads) {
        try (Workers workers = new Workers(threads)) {
            for (int n : new int[] {0, 1, 15, 16, 17, 1000}) {
                AtomicLongArray covered = new AtomicLongArray(n);
                workers.parallelRanges(n, 16, (from, to, worker) -> {
                    assertEquals(0, from % 16);
                    assertTrue(from < to);
                    for (long i = from; i < to; i++) covered.incrementAndGet((int) i);
                });
                for (int i = 0; i < n; i++) assertEquals(1, covered.get(i));
            }
        }
    }

    @Test
    void aFailureReachesTheCallerAndTheTeamGoesOn() {
        try (Workers workers = new Workers(3)) {
            IllegalStateException failure = new IllegalStateException("no");
            for (int round = 0; round < 50; round++) {
                assertSame(failure, assertThrows(IllegalStateException.class, () -> workers.parallelFor(20, (i, worker) -> {
                    if (i == 11) throw failure;
                })));
                AtomicIntegerArray runs = new AtomicIntegerArray(20);
                workers.parallelFor(20, (i, worker) -> runs.incrementAndGet(i));
                for (int i = 0; i < 20; i++) assertEquals(1, runs.get(i));
            }
        }
    }

    @Test
    void parkedWorkersWakeUp() throws InterruptedException {
        try (Workers workers = new Workers(2)) {
            for (int round = 0; round < 5; round++) {
                Thread.sleep(2);                              // longer than they spin
                AtomicIntegerArray seen = new AtomicIntegerArray(2);
                workers.parallelFor(2, (i, worker) -> {
                    seen.incrementAndGet(worker);
                    long deadline = System.nanoTime() + 5_000_000_000L;
                    while (seen.get(0) + seen.get(1) < 2 && System.nanoTime() < deadline) Thread.onSpinWait();
                });
                assertEquals(1, seen.get(1), "the other thread took part");
            }
        }
    }

    @Test
    void aTeamNeedsAThread() {
        assertThrows(IllegalArgumentException.class, () -> new Workers(0));
    }
}
