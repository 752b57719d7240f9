package dev.gale.train.hub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What `gale pull` makes of a hub that answers well, badly, and not at all.
@Timeout(120)
class HubPullTest {
    private static final String WEIGHTS = "model.safetensors";
    private static final RepoId REPO = RepoId.parse(RepoId.Kind.MODEL, "org/name");

    private final byte[] weights = new byte[300_000];

    @TempDir
    private Path cache;
    private HubServer hub;

    @BeforeEach
    void start() throws IOException {
        new Random(1).nextBytes(weights);
        hub = new HubServer("model", "org/name").put("config.json", "{\"model_type\": \"llama\"}").put(WEIGHTS, weights)
                .put("a folder/template ä.jinja", "{{ x }}").put("pytorch_model.bin", "pickle").put(".gitattributes", "x");
    }

    @AfterEach
    void stop() {
        hub.close();
    }

    private HubPull.Result pull() {
        return pull(hub.settings(cache));
    }

    private static HubPull.Result pull(HubSettings settings) {
        return HubPull.run(REPO, settings, FileChoice.matching(List.of()), PullProgress.NONE);
    }

    private Path home() {
        return cache.resolve("models--org--name");
    }

    private void assertWhole(HubPull.Result result) throws IOException {
        assertArrayEquals(weights, Files.readAllBytes(result.folder().resolve(WEIGHTS)));
        assertEquals(HubServer.COMMIT, Files.readString(home().resolve("refs/main")));
    }

    private void assertNothingWhole() {
        assertFalse(Files.exists(home().resolve("refs")));
        assertFalse(Files.exists(home().resolve("snapshots")));
        assertFalse(Files.exists(home().resolve("blobs").resolve(HubServer.sha256(weights))));
    }

    @Test
    void filesLieAsInTheCacheOfHuggingFace() throws IOException {
        HubPull.Result result = pull();
        assertEquals(home().resolve("snapshots").resolve(HubServer.COMMIT), result.folder());
        assertWhole(result);
        Path link = result.folder().resolve(WEIGHTS);
        assertTrue(Files.isSymbolicLink(link));
        assertEquals(Path.of("../../blobs", HubServer.sha256(weights)), Files.readSymbolicLink(link));
        Path nested = result.folder().resolve("a folder/template ä.jinja");
        assertEquals("{{ x }}", Files.readString(nested));
        assertEquals(Path.of("../../../blobs", HubServer.gitId("{{ x }}".getBytes())), Files.readSymbolicLink(nested));
        assertEquals(List.of("pytorch_model.bin", ".gitattributes"), result.leftOut());
        assertEquals(0, hub.downloads("pytorch_model.bin"));
        try (var blobs = Files.list(home().resolve("blobs"))) {
            assertEquals(3, blobs.count());
        }
    }

    @Test
    void whatIsThereIsNotDownloadedAgain() throws IOException {
        pull();
        hub.seen.clear();
        assertWhole(pull());
        assertEquals(1, hub.seen.size(), hub.seen.toString());
        Files.delete(home().resolve("snapshots").resolve(HubServer.COMMIT).resolve(WEIGHTS));
        assertWhole(pull());
        assertEquals(0, hub.downloads(WEIGHTS));
    }

    @Test
    void brokenConnectionsGoOnWhereTheyBroke() throws IOException {
        hub.faults.put(WEIGHTS, (exchange, file) -> {
            HubServer.sendAndBreak(exchange, file, 40_000);
            return true;
        });
        assertWhole(pull());
        List<HubServer.Seen> requests = hub.requests(WEIGHTS);
        assertTrue(requests.size() >= 8, "300,000 bytes by 40,000 need 8 requests: " + requests);
        long last = 0;
        for (HubServer.Seen request : requests.subList(1, requests.size())) {
            long from = Long.parseLong(request.range().replaceAll("\\D", ""));
            assertTrue(from >= last && from <= weights.length, requests.toString());
            assertEquals('"' + HubServer.sha256(weights) + '"', request.ifRange());
            last = from;
        }
        assertTrue(last >= 260_000, requests.toString());
    }

    @Test
    void laterRunsGoOnWhereEarlierOnesStopped() throws IOException {
        Path part = home().resolve("blobs").resolve(HubServer.sha256(weights) + ".incomplete");
        Files.createDirectories(part.getParent());
        Files.write(part, Arrays.copyOf(weights, 123_456));
        assertWhole(pull());
        assertEquals(List.of("bytes=123456-"), hub.requests(WEIGHTS).stream().map(HubServer.Seen::range).toList());
        assertFalse(Files.exists(part));
    }

    @Test
    void aWrongBeginningIsThrownAway() throws IOException {
        Path part = home().resolve("blobs").resolve(HubServer.sha256(weights) + ".incomplete");
        Files.createDirectories(part.getParent());
        Files.write(part, new byte[1000]);
        assertWhole(pull());
        assertEquals(2, hub.downloads(WEIGHTS));
        assertNull(hub.requests(WEIGHTS).get(1).range());
    }

    @Test
    void serversWithoutRangesBeginAgain() throws IOException {
        AtomicInteger times = new AtomicInteger();
        hub.faults.put(WEIGHTS, (exchange, file) -> {
            if (times.getAndIncrement() == 0) HubServer.sendAndBreak(exchange, file, 1000);
            else HubServer.send(exchange, 200, file);
            return true;
        });
        assertWhole(pull());
    }

    @Test
    void wrongBytesAreNeverKept() throws IOException {
        AtomicInteger times = new AtomicInteger();
        hub.faults.put(WEIGHTS, (exchange, file) -> {
            if (times.getAndIncrement() > 0) return false;
            byte[] wrong = file.clone();
            wrong[7]++;
            HubServer.send(exchange, 200, wrong);
            return true;
        });
        assertWhole(pull());
        assertEquals(2, hub.downloads(WEIGHTS));
    }

    @Test
    void aHubThatKeepsSendingWrongBytesIsGivenUp() {
        for (String name : List.of("config.json", WEIGHTS)) {
            hub.faults.clear();
            hub.faults.put(name, (exchange, file) -> {
                byte[] wrong = file.clone();
                wrong[1]++;
                HubServer.send(exchange, 200, wrong);
                return true;
            });
            HubSettings one = hub.settings(cache).withWorkers(1);
            HubException e = assertThrows(HubException.class, () -> pull(one));
            assertTrue(e.getMessage().contains("downloading " + name) && e.getMessage().contains("checksum"), e.getMessage());
            assertNothingWhole();
        }
    }

    @Test
    void moreBytesThanAnnouncedAreRefused() {
        hub.faults.put(WEIGHTS, (exchange, file) -> {
            HubServer.send(exchange, 200, Arrays.copyOf(file, file.length + 1));
            return true;
        });
        HubException e = assertThrows(HubException.class, this::pull);
        assertTrue(e.getMessage().contains("more bytes"), e.getMessage());
        assertNothingWhole();
    }

    @Test
    void aSilentServerIsLeft() throws IOException {
        AtomicInteger times = new AtomicInteger();
        CountDownLatch end = new CountDownLatch(1);
        hub.faults.put(WEIGHTS, (exchange, file) -> {
            if (times.getAndIncrement() > 0) return false;
            HubServer.sendAndBreak(exchange, file, 5000);
            try {
                assertTrue(end.await(20, TimeUnit.SECONDS));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return true;
        });
        HubSettings usual = hub.settings(cache);
        assertWhole(pull(new HubSettings(usual.endpoint(), usual.token(), cache, 4, usual.firstDelay(),
                Duration.ofMillis(300))));
        end.countDown();
        assertEquals("bytes=5000-", hub.requests(WEIGHTS).get(1).range());
    }

    @Test
    void aBusyHubIsAskedAgainAfterTheTimeItWants() throws IOException {
        AtomicInteger times = new AtomicInteger();
        for (String path : List.of("/api/models/org/name/revision/main", WEIGHTS)) {
            hub.faults.put(path, (exchange, file) -> {
                int time = times.getAndIncrement() % 3;
                if (time == 2) return false;
                exchange.getResponseHeaders().set("Retry-After", time == 0 ? "1" : "Wed, 21 Oct 2015 07:28:00 GMT");
                HubServer.send(exchange, time == 0 ? 429 : 503, new byte[0]);
                return true;
            });
        }
        long begin = System.nanoTime();
        assertWhole(pull());
        assertTrue(System.nanoTime() - begin >= 2_000_000_000L, "did not wait for 1 s twice");
    }

    @Test
    void refusalsAreOneSentenceAndLeaveNothing() {
        check(401, "", Optional.empty(), "the hub has no public model org/name (401)", "set HF_TOKEN");
        check(401, "", Optional.of("hf_secret"), "refuses the model org/name to the holder of HF_TOKEN");
        check(403, "GatedRepo", Optional.of("hf_secret"), "accepted its terms", "set HF_TOKEN");
        check(404, "RepoNotFound", Optional.empty(), "the hub has no model org/name", "--dataset");
        check(404, "RevisionNotFound", Optional.empty(), "has no revision 'main'");
    }

    private void check(int status, String code, Optional<String> token, String... words) {
        hub.faults.put("/api/models/org/name/revision/main", (exchange, file) -> {
            if (!code.isEmpty()) exchange.getResponseHeaders().set("X-Error-Code", code);
            HubServer.send(exchange, status, new byte[0]);
            return true;
        });
        HubSettings usual = hub.settings(cache);
        HubSettings settings = new HubSettings(usual.endpoint(), token, cache, 2, usual.firstDelay(), usual.timeout());
        InputException e = assertThrows(InputException.class, () -> pull(settings));
        for (String word : words) assertTrue(e.getMessage().contains(word), word + " is not in " + e.getMessage());
        assertFalse(e.getMessage().contains("hf_secret"), e.getMessage());
        assertFalse(Files.exists(home()));
    }

    @Test
    void theTokenGoesToTheHubOnly() throws IOException {
        try (HubServer store = new HubServer("model", "org/name").put(WEIGHTS, weights)) {
            for (String address : List.of(store.otherAddress().toString(), store.address().toString())) {
                hub.faults.put(WEIGHTS, (exchange, file) -> {
                    exchange.getResponseHeaders().set("Location", address + "/org/name/resolve/" + HubServer.COMMIT
                            + "/" + WEIGHTS);
                    HubServer.send(exchange, 302, new byte[0]);
                    return true;
                });
                hub.faults.put("config.json", (exchange, file) -> {
                    exchange.getResponseHeaders().set("Location", "/moved.json");
                    HubServer.send(exchange, 307, new byte[0]);
                    return true;
                });
                hub.faults.put("/moved.json", (exchange, none) -> {
                    HubServer.send(exchange, 200, "{\"model_type\": \"llama\"}".getBytes());
                    return true;
                });
                Path fresh = Files.createTempDirectory(cache, "fresh");
                HubPull.Result result = pull(new HubSettings(hub.address(), Optional.of("hf_secret"), fresh, 2,
                        Duration.ofMillis(5), Duration.ofSeconds(10)));
                assertArrayEquals(weights, Files.readAllBytes(result.folder().resolve(WEIGHTS)));
            }
            assertEquals(2, store.seen.size());
            store.seen.forEach(request -> assertNull(request.authorization(), request.toString()));
            hub.seen.forEach(request -> assertEquals("Bearer hf_secret", request.authorization(), request.toString()));
            assertTrue(hub.seen.stream().anyMatch(request -> request.path().equals("/moved.json")));
        }
    }

    @Test
    void endlessRedirectsAndOddOnesEnd() {
        for (String location : List.of("/org/name/resolve/" + HubServer.COMMIT + "/" + WEIGHTS, "file:///etc/passwd", "::")) {
            hub.faults.put(WEIGHTS, (exchange, file) -> {
                exchange.getResponseHeaders().set("Location", location);
                HubServer.send(exchange, 302, new byte[0]);
                return true;
            });
            HubException e = assertThrows(HubException.class, this::pull);
            assertTrue(e.getMessage().contains("redirect"), e.getMessage());
        }
    }

    @Test
    void filesComeAtTheSameTime() throws IOException {
        CountDownLatch both = new CountDownLatch(2);
        for (String name : List.of(WEIGHTS, "config.json")) {
            hub.faults.put(name, (exchange, file) -> {
                both.countDown();
                try {
                    return !both.await(10, TimeUnit.SECONDS);
                } catch (InterruptedException e) {
                    return true;
                }
            });
        }
        assertWhole(pull());
        assertEquals(1, hub.downloads(WEIGHTS));
    }

    @Test
    void pathsThatLeadOutAreRefused() {
        for (String path : List.of("../../../evil.json", "/etc/evil.json", "a/../../evil.json", "c:evil.json",
                "a\\evil.json")) {
            hub.put(path, "{}");
            HubException e = assertThrows(HubException.class, this::pull);
            assertTrue(e.getMessage().contains("leads out"), e.getMessage());
            assertFalse(Files.exists(home()));
            hub.close();
            assertDoesNotThrowStart();
        }
    }

    private void assertDoesNotThrowStart() {
        try {
            start();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void withoutLinksFilesAreCopied() throws IOException {
        HubCache copying = new HubCache(cache, (link, target) -> {
            throw new UnsupportedOperationException();
        });
        HubPull pull = new HubPull(REPO, hub.settings(cache), copying, FileChoice.matching(List.of()), PullProgress.NONE);
        assertWhole(pull.run());
        assertFalse(Files.isSymbolicLink(pull.run().folder().resolve(WEIGHTS)));
        assertEquals(1, hub.downloads(WEIGHTS));
    }

    @Test
    void aNameIsFoundOnceItIsWhole() {
        assertEquals(Optional.empty(), HubCache.at(cache).find(REPO));
        Path folder = pull().folder();
        assertEquals(Optional.of(folder), HubCache.at(cache).find(REPO));
        assertEquals(folder, HubLocation.find(RepoId.Kind.MODEL, Path.of("org/name"), cache));
        assertEquals(folder, HubLocation.find(RepoId.Kind.MODEL, Path.of("org/name@" + HubServer.COMMIT), cache));
        assertEquals(Path.of("/org/name"), HubLocation.find(RepoId.Kind.MODEL, Path.of("/org/name"), cache));
        assertEquals(Path.of("name"), HubLocation.find(RepoId.Kind.MODEL, Path.of("name"), cache));
        InputException e = assertThrows(InputException.class, () -> HubLocation.find(RepoId.Kind.MODEL, Path.of("org/name@v2"),
                cache));
        assertTrue(e.getMessage().contains("gale pull org/name@v2"), e.getMessage());
    }
}
