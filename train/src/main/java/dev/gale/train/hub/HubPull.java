package dev.gale.train.hub;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/// Downloads a repository of a hub into the cache: several files at once, each from where an earlier download stopped, each
/// checked. What is in the cache already is not downloaded again.
public final class HubPull {
    private final RepoId repo;
    private final HubSettings settings;
    private final HubCache cache;
    private final FileChoice choice;
    private final PullProgress progress;

    HubPull(RepoId repo, HubSettings settings, HubCache cache, FileChoice choice, PullProgress progress) {
        this.repo = repo;
        this.settings = settings;
        this.cache = cache;
        this.choice = choice;
        this.progress = progress;
    }

    /// @param folder  of the revision in the cache
    /// @param commit  that the revision is now
    /// @param files   of it that are in the folder
    /// @param leftOut files of the repository that were not asked for or are not for Gale
    public record Result(Path folder, String commit, List<String> files, List<String> leftOut) {}

    /// Downloads what is missing.
    ///
    /// Throws InputException when the hub does not have it or does not give it, there is nothing to use in it, or the disk is
    /// too small; HubException when hub or network fail in spite of all attempts.
    public static Result run(RepoId repo, HubSettings settings, FileChoice choice, PullProgress progress) {
        return new HubPull(repo, settings, HubCache.at(settings.cache()), choice, progress).run();
    }

    Result run() {
        Retries retries = new Retries(settings.endpoint(), settings.firstDelay(), progress);
        try (HubClient client = new HubClient(settings)) {
            RepoListing listing = RepoListing.parse(
                    retries.run("the list of files", () -> 0, () -> client.text(repo.infoPath(), repo)), repo);
            List<RemoteFile> files = choice.of(repo, listing.files());
            download(client, retries, listing.commit(), files);
            for (RemoteFile file : files) cache.addToSnapshot(repo, listing.commit(), file);
            cache.remember(repo, listing.commit());
            List<String> leftOut = new ArrayList<>(listing.files().stream().map(RemoteFile::path).toList());
            leftOut.removeAll(files.stream().map(RemoteFile::path).toList());
            return new Result(cache.snapshot(repo, listing.commit()), listing.commit(),
                    files.stream().map(RemoteFile::path).toList(), leftOut);
        } catch (IOException e) {
            throw new InputException("the cache %s cannot be written (%s): check it, or set HF_HUB_CACHE to another folder"
                    .formatted(settings.cache(), e), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new HubException("the download was interrupted: run the command again, it goes on where it stopped", e);
        }
    }

    private void download(HubClient client, Retries retries, String commit, List<RemoteFile> files)
            throws IOException, InterruptedException {
        Map<Checksum, RemoteFile> missing = new LinkedHashMap<>();
        for (RemoteFile file : files) {
            if (!Files.exists(cache.blob(repo, file.checksum()))) missing.putIfAbsent(file.checksum(), file);
        }
        requireSpace(missing.values());
        progress.begin(missing.size(), missing.values().stream().mapToLong(RemoteFile::size).sum(),
                files.size() - missing.size());
        ExecutorService workers = Executors.newFixedThreadPool(settings.workers(), Thread.ofPlatform().daemon().factory());
        try {
            CompletionService<Void> running = new ExecutorCompletionService<>(workers);
            for (RemoteFile file : missing.values()) {
                BlobDownload blob = new BlobDownload(client, repo, commit, file, cache, settings.timeout(), progress);
                running.submit(() -> {
                    blob.run(retries);
                    return null;
                });
            }
            for (int i = 0; i < missing.size(); i++) running.take().get();
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case IOException failed -> throw failed;
                case RuntimeException failed -> throw failed;
                default -> throw new IllegalStateException(e.getCause());
            }
        } finally {
            workers.shutdownNow();
        }
    }

    private void requireSpace(Collection<RemoteFile> missing) throws IOException {
        long needed = 0;
        for (RemoteFile file : missing) {
            Path part = cache.blob(repo, file.checksum()).resolveSibling(file.checksum().hex() + ".incomplete");
            needed += file.size() - (Files.exists(part) ? Math.min(file.size(), Files.size(part)) : 0);
        }
        Path existing = settings.cache().toAbsolutePath();
        while (!Files.exists(existing)) existing = existing.getParent();
        FileStore store = Files.getFileStore(existing);
        if (needed <= store.getUsableSpace()) return;
        throw new InputException(String.format(Locale.ROOT,
                "%s needs %.1f GB, but only %.1f GB are free in %s: free some, or set HF_HUB_CACHE to another disk",
                repo, needed / 1e9, store.getUsableSpace() / 1e9, settings.cache()));
    }
}
