package dev.gale.train.hub;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.http.HttpResponse;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Brings one file into the cache. What has arrived stands in `<checksum>.incomplete`; later attempts, of later runs too, ask
/// for the rest. The file gets its name when size and checksum are right. A lock keeps other processes out meanwhile.
final class BlobDownload {
    private static final Pattern RANGE = Pattern.compile("bytes (\\d+)-\\d+/.*");

    private final HubClient client;
    private final RepoId repo;
    private final RemoteFile file;
    private final String path;
    private final Path blob;
    private final Path incomplete;
    private final Path lock;
    private final Duration timeout;
    private final PullProgress progress;
    private String etag;
    private long farthest;

    /// @param commit of the repository
    BlobDownload(HubClient client, RepoId repo, String commit, RemoteFile file, HubCache cache, Duration timeout,
                 PullProgress progress) {
        this.client = client;
        this.repo = repo;
        this.file = file;
        this.path = repo.filePath(commit, file.path());
        this.blob = cache.blob(repo, file.checksum());
        this.incomplete = blob.resolveSibling(blob.getFileName() + ".incomplete");
        this.lock = cache.lock(repo, file.checksum());
        this.timeout = timeout;
        this.progress = progress;
    }

    /// Throws HubException when it does not come in spite of all attempts, InputException when the hub refuses it.
    void run(Retries retries) throws IOException, InterruptedException {
        Files.createDirectories(blob.getParent());
        Files.createDirectories(lock.getParent());
        try (FileChannel channel = FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
             FileLock held = channel.lock()) {
            if (!held.isValid() || Files.exists(blob)) return;
            retries.run("downloading " + file.path(), () -> farthest, this::attempt);
        }
        progress.finished(file.path(), file.size());
    }

    private Void attempt() throws IOException, InterruptedException {
        long present = Files.exists(incomplete) ? Files.size(incomplete) : 0;
        if (present > file.size()) present = restart();
        if (present < file.size() || present == 0) fetch(present);
        if (Files.size(incomplete) != file.size()) throw new IOException("the connection ended early");
        if (!file.checksum().matches(incomplete)) {
            restart();
            throw new IOException("the checksum of what arrived is wrong");
        }
        Files.move(incomplete, blob, StandardCopyOption.ATOMIC_MOVE);
        return null;
    }

    private long restart() throws IOException {
        Files.deleteIfExists(incomplete);
        return 0;
    }

    private void fetch(long present) throws IOException, InterruptedException {
        Map<String, String> headers = new HashMap<>();
        if (present > 0) headers.put("Range", "bytes=" + present + "-");
        if (present > 0 && etag != null) headers.put("If-Range", etag);
        HttpResponse<InputStream> response = client.get(path, repo, headers);
        try (InputStream in = response.body()) {
            if (response.statusCode() == 416) {
                restart();
                throw new IOException("the server does not go on where the download stopped");
            }
            etag = response.headers().firstValue("ETag").filter(tag -> !tag.startsWith("W/")).orElse(null);
            if (response.statusCode() == 200 || rangeStart(response) != present) present = restartAt(response);
            append(in, present);
        }
    }

    private long restartAt(HttpResponse<?> response) throws IOException {
        if (response.statusCode() == 200) return restart();
        throw new IOException("the server sent another part than was asked for");
    }

    private static long rangeStart(HttpResponse<?> response) {
        Matcher range = RANGE.matcher(response.headers().firstValue("Content-Range").orElse(""));
        return range.matches() ? Long.parseLong(range.group(1)) : -1;
    }

    private void append(InputStream in, long present) throws IOException {
        byte[] buffer = new byte[1 << 16];
        long size = present;
        try (OutputStream out = Files.newOutputStream(incomplete, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
             StallGuard guard = new StallGuard(in, timeout)) {
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                guard.hear();
                size += read;
                if (size > file.size()) break;
                out.write(buffer, 0, read);
                farthest = Math.max(farthest, size);
                progress.received(read);
            }
            guard.requireAlive();
        }
        if (size <= file.size()) return;
        restart();
        throw new IOException("more bytes arrive than the hub announced");
    }
}
