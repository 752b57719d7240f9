package dev.gale.train.hub;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.Map;

/// Asks a hub. It follows redirects itself, so that the token goes to the hub alone, never to the servers that it sends to.
final class HubClient implements AutoCloseable {
    private static final int MOST_REDIRECTS = 10;
    private static final int LONGEST_ANSWER = 1 << 28;

    private final HubSettings settings;
    private final HttpClient http;

    HubClient(HubSettings settings) {
        this.settings = settings;
        this.http = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NEVER).version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(settings.timeout()).build();
    }

    /// The text at a path of the hub.
    ///
    /// Throws InputException when the hub refuses it, Retries.Busy when it cannot serve now.
    String text(String path, RepoId repo) throws IOException, InterruptedException {
        HttpResponse<InputStream> response = get(path, repo, Map.of());
        try (InputStream in = response.body(); StallGuard guard = new StallGuard(in, settings.timeout())) {
            byte[] bytes = in.readNBytes(LONGEST_ANSWER);
            guard.requireAlive();
            return new String(bytes, StandardCharsets.UTF_8);
        }
    }

    /// What a path of the hub leads to; the status is 200, 206 or 416.
    ///
    /// @param repo    whose path it is, for messages
    /// @param headers sent beside the usual ones
    HttpResponse<InputStream> get(String path, RepoId repo, Map<String, String> headers) throws IOException,
            InterruptedException {
        URI target = URI.create(settings.endpoint() + path);
        for (int hops = 0; hops <= MOST_REDIRECTS; hops++) {
            HttpResponse<InputStream> response = http.send(request(target, headers), HttpResponse.BodyHandlers.ofInputStream());
            int status = response.statusCode();
            if (status == 200 || status == 206 || status == 416) return response;
            response.body().close();
            if (status < 300 || status >= 400 || status == 304) throw refusal(response, repo);
            target = next(target, response);
        }
        throw new IOException("more than " + MOST_REDIRECTS + " redirects");
    }

    private HttpRequest request(URI target, Map<String, String> headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(target).timeout(settings.timeout())
                .header("User-Agent", "gale").header("Accept-Encoding", "identity");
        headers.forEach(request::header);
        if (isOfHub(target)) settings.token().ifPresent(token -> request.header("Authorization", "Bearer " + token));
        return request.build();
    }

    private boolean isOfHub(URI target) {
        URI hub = settings.endpoint();
        return target.getScheme().equals(hub.getScheme()) && hub.getHost().equalsIgnoreCase(target.getHost())
                && port(target) == port(hub);
    }

    private static int port(URI uri) {
        return uri.getPort() >= 0 ? uri.getPort() : uri.getScheme().equals("https") ? 443 : 80;
    }

    private static URI next(URI from, HttpResponse<?> response) throws IOException {
        try {
            URI next = from.resolve(URI.create(response.headers().firstValue("Location").orElse("")));
            boolean web = next.getHost() != null && String.valueOf(next.getScheme()).matches("https?");
            if (web && !(from.getScheme().equals("https") && next.getScheme().equals("http"))) return next;
        } catch (IllegalArgumentException e) {
            throw new IOException("a redirect that is no address", e);
        }
        throw new IOException("a redirect that leads nowhere safe");
    }

    private IOException refusal(HttpResponse<?> response, RepoId repo) {
        String code = response.headers().firstValue("X-Error-Code").orElse("");
        String about = "%s %s".formatted(repo.kind(), repo);
        switch (response.statusCode()) {
            case 401, 403 -> throw new InputException(code.equals("GatedRepo")
                    ? "the hub gives the %s only to people who accepted its terms: accept them on its page and set HF_TOKEN"
                    .formatted(about)
                    : settings.token().isPresent()
                    ? "the hub refuses the %s to the holder of HF_TOKEN (%d): check the name and what the token may read"
                            .formatted(about, response.statusCode())
                    : "the hub has no public %s (%d): check the name, or set HF_TOKEN if it is private or gated"
                            .formatted(about, response.statusCode()));
            case 404 -> throw new InputException(code.equals("RevisionNotFound")
                    ? "the hub's %s %s has no revision '%s': name a branch, a tag or a commit of it"
                            .formatted(repo.kind(), repo.name(), repo.revision())
                    : "the hub has no %s: check name and revision%s, or say --dataset for a dataset"
                            .formatted(about, settings.token().isPresent() ? "" : ", set HF_TOKEN if it is private"));
            case 408, 425, 429, 500, 502, 503, 504 -> {
                return new Retries.Busy(response.statusCode(), wait(response));
            }
            default -> throw new HubException("the hub %s answers with status %d when asked for the %s".formatted(
                    settings.endpoint().getHost(), response.statusCode(), about));
        }
    }

    /// `Retry-After`, in seconds or as a date.
    private static Duration wait(HttpResponse<?> response) {
        String text = response.headers().firstValue("Retry-After").orElse("0").strip();
        try {
            if (text.matches("\\d{1,9}")) return Duration.ofSeconds(Long.parseLong(text));
            Duration until = Duration.between(ZonedDateTime.now(),
                    ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME));
            return until.isNegative() ? Duration.ZERO : until;
        } catch (DateTimeParseException unreadable) {
            return Duration.ZERO;
        }
    }

    @Override
    public void close() {
        http.shutdownNow();
        http.close();
    }
}
