package dev.gale.train.hub;

import dev.gale.tensor.InputException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.function.UnaryOperator;

/// Which hub, who asks, and where its files are kept. The names in the environment are those of huggingface_hub.
///
/// @param endpoint   address of the hub, without a slash at its end
/// @param token      what shows who asks; sent to the endpoint only
/// @param cache      folder with a folder for each repository
/// @param workers    files that are downloaded at once
/// @param firstDelay before the second attempt; doubled for each further one
/// @param timeout    longest silence of a server before an attempt counts as failed
public record HubSettings(URI endpoint, Optional<String> token, Path cache, int workers, Duration firstDelay,
                          Duration timeout) {
    private static final String PUBLIC_HUB = "https://huggingface.co";

    public HubSettings {
        String scheme = String.valueOf(endpoint.getScheme());
        if (endpoint.getHost() == null || !scheme.matches("https?") || endpoint.getQuery() != null) {
            throw new InputException("HF_ENDPOINT '%s' is no address of a hub: write e.g. %s".formatted(endpoint, PUBLIC_HUB));
        }
        if (token.isPresent() && !token.get().matches("[\\x21-\\x7e]+")) {
            throw new InputException("HF_TOKEN holds blanks or other characters that no token has: set it to the token alone");
        }
        if (workers < 1) throw new InputException("--max-workers must be at least 1, got " + workers);
    }

    /// What the environment says: `HF_ENDPOINT`, `HF_TOKEN`, and `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or
    /// `huggingface/hub` in `XDG_CACHE_HOME` or in `~/.cache`.
    ///
    /// @param variable value of a variable, null when it is not set
    /// @param home     the user's folder
    ///
    /// Throws InputException when a variable holds no address or no token.
    public static HubSettings of(UnaryOperator<String> variable, Path home) {
        Optional<String> endpoint = value(variable, "HF_ENDPOINT");
        return new HubSettings(address(endpoint.orElse(PUBLIC_HUB)), value(variable, "HF_TOKEN"), cache(variable, home), 8,
                Duration.ofMillis(500), Duration.ofSeconds(60));
    }

    private static Optional<String> value(UnaryOperator<String> variable, String name) {
        return Optional.ofNullable(variable.apply(name)).map(String::strip).filter(text -> !text.isEmpty());
    }

    private static URI address(String text) {
        try {
            return URI.create(text.replaceFirst("/+$", ""));
        } catch (IllegalArgumentException e) {
            throw new InputException("HF_ENDPOINT '%s' is no address of a hub: write e.g. %s".formatted(text, PUBLIC_HUB), e);
        }
    }

    private static Path cache(UnaryOperator<String> variable, Path home) {
        return value(variable, "HF_HUB_CACHE").map(text -> path(text, home))
                .or(() -> value(variable, "HF_HOME").map(text -> path(text, home).resolve("hub")))
                .or(() -> value(variable, "XDG_CACHE_HOME").map(text -> path(text, home).resolve("huggingface").resolve("hub")))
                .orElse(home.resolve(".cache").resolve("huggingface").resolve("hub"));
    }

    private static Path path(String text, Path home) {
        return text.equals("~") || text.startsWith("~/") ? home.resolve(text.substring(1).replaceFirst("^/", ""))
                : Path.of(text);
    }

    /// The same with another cache.
    public HubSettings withCache(Path folder) {
        return new HubSettings(endpoint, token, folder, workers, firstDelay, timeout);
    }

    /// The same with this many downloads at once.
    public HubSettings withWorkers(int count) {
        return new HubSettings(endpoint, token, cache, count, firstDelay, timeout);
    }

    /// Without the token, which nobody should read in a log.
    @Override
    public String toString() {
        return "HubSettings[endpoint=%s, token=%s, cache=%s]".formatted(endpoint, token.isPresent() ? "set" : "none", cache);
    }
}
