package dev.gale.train.hub;

import dev.gale.tensor.InputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// Where the model is that people name: a folder, or a repository of a hub that was downloaded before.
public final class ModelLocation {
    private ModelLocation() {}

    /// The path itself when it is there, else the snapshot of `org/name` or `org/name@revision` in the cache. A path that could
    /// not be a repository is returned as it is.
    ///
    /// @param cache folder of downloaded repositories
    ///
    /// Throws InputException when a repository could be meant and is not in the cache.
    public static Path find(Path given, Path cache) {
        String text = given.toString().replace('\\', '/');
        String name = text.replaceFirst("@.*", "");
        if (Files.exists(given) || given.isAbsolute() || !RepoId.isName(name)) return given;
        RepoId repo = RepoId.parse(RepoId.Kind.MODEL, text);
        Optional<Path> found = HubCache.at(cache).find(repo);
        if (found.isEmpty() && !name.contains("/") && !text.contains("@")) return given;
        return found.orElseThrow(() -> new InputException(
                "%s is no folder, and no model of that name is in the cache %s: give the folder of a model, or run gale pull %s first"
                        .formatted(text, cache, text)));
    }
}
