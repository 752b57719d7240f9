package dev.gale.train.hub;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;

/// Repositories on this machine, in the layout that huggingface_hub uses too: in `models--org--name` the bytes in
/// `blobs/<checksum>`, the files of a commit as links to them in `snapshots/<commit>`, and the commit that a branch or tag was
/// in `refs/<revision>`. A file is in a snapshot only when it is whole.
///
/// @param folder with a folder for each repository
/// @param link   makes a link; where the file system has none, files are copied instead
record HubCache(Path folder, Link link) {

    /// Makes `link` lead to `target`.
    interface Link {
        void create(Path link, Path target) throws IOException;
    }

    static HubCache at(Path folder) {
        return new HubCache(folder, Files::createSymbolicLink);
    }

    /// The folder of a revision, empty when it was not downloaded.
    Optional<Path> find(RepoId repo) {
        Path snapshots = home(repo).resolve("snapshots");
        try {
            Path ref = ref(repo);
            String commit = Files.isRegularFile(ref) ? Files.readString(ref).strip() : repo.revision();
            if (!RepoId.isCommit(commit)) return Optional.empty();
            return Optional.of(snapshots.resolve(commit)).filter(Files::isDirectory);
        } catch (IOException unreadable) {
            return Optional.empty();
        }
    }

    Path home(RepoId repo) {
        return folder.resolve(repo.folder());
    }

    Path blob(RepoId repo, Checksum checksum) {
        return home(repo).resolve("blobs").resolve(checksum.hex());
    }

    Path lock(RepoId repo, Checksum checksum) {
        return folder.resolve(".locks").resolve(repo.folder()).resolve(checksum.hex() + ".lock");
    }

    Path snapshot(RepoId repo, String commit) {
        return home(repo).resolve("snapshots").resolve(commit);
    }

    private Path ref(RepoId repo) {
        return home(repo).resolve("refs").resolve(repo.revision());
    }

    /// Puts a file whose blob is here into a snapshot.
    void addToSnapshot(RepoId repo, String commit, RemoteFile file) throws IOException {
        Path blob = blob(repo, file.checksum());
        Path place = snapshot(repo, commit).resolve(file.path());
        if (Files.exists(place) && (Files.isSameFile(place, blob) || file.checksum().matches(place))) return;
        Files.createDirectories(place.getParent());
        Files.deleteIfExists(place);
        try {
            link.create(place, place.getParent().relativize(blob));
        } catch (UnsupportedOperationException | IOException | SecurityException noLinks) {
            Path copy = place.resolveSibling(place.getFileName() + ".incomplete");
            Files.copy(blob, copy, StandardCopyOption.REPLACE_EXISTING);
            Files.move(copy, place, StandardCopyOption.ATOMIC_MOVE);
        }
    }

    /// Remembers which commit a branch or tag is; done last, when the snapshot is whole.
    void remember(RepoId repo, String commit) throws IOException {
        if (repo.isCommit()) return;
        Path ref = ref(repo);
        Files.createDirectories(ref.getParent());
        Path fresh = Files.createTempFile(ref.getParent(), "new", null);
        Files.writeString(fresh, commit);
        Files.move(fresh, ref, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
}
