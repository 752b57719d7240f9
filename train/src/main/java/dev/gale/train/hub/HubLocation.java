package dev.gale.train.hub;

import dev.gale.tensor.InputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;

/// Where the model, adapter or dataset is that people name: a file or folder, or a repository of a hub that was downloaded
/// before.
public final class HubLocation {
    private static final Pattern DATA = Pattern.compile(".*\\.(jsonl?|ndjson|csv|tsv|txt|parquet|arrow|gz|zst|zip)",
            Pattern.CASE_INSENSITIVE);

    private HubLocation() {}

    /// The path itself when it is there, else the snapshot of `org/name` or `org/name@revision` in the cache. A path that could
    /// not be a repository, or ends as a file of rows does, is returned as it is.
    ///
    /// @param cache folder of downloaded repositories
    ///
    /// Throws InputException when a repository could be meant and is not in the cache.
    public static Path find(RepoId.Kind kind, Path given, Path cache) {
        String text = given.toString().replace('\\', '/');
        String name = text.replaceFirst("@.*", "");
        if (Files.exists(given) || given.isAbsolute() || !RepoId.isName(name)) return given;
        boolean model = kind == RepoId.Kind.MODEL;
        RepoId repo = RepoId.parse(kind, text);
        Optional<Path> found = HubCache.at(cache).find(repo);
        boolean path = !name.contains("/") && !text.contains("@") || !model && DATA.matcher(text).matches();
        if (found.isEmpty() && path) return given;
        return found.orElseThrow(() -> new InputException(
                "%s is no %s, and no %s of that name is in the cache %s: give the path of one, or run gale pull %1$s%s first"
                        .formatted(text, model ? "folder" : "file or folder", kind, cache, model ? "" : " --dataset")));
    }
}
