package dev.gale.train.hub;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ExecutorService;

/// A hub on this machine with one repository, as a Hugging Face hub answers, and with the faults that it is told to have.
public final class HubServer implements AutoCloseable {
    public static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
    private static final ObjectMapper JSON = new ObjectMapper();

    /// What the server does instead of answering well. Returns true when the request has been answered.
    interface Fault {
        boolean answer(HttpExchange exchange, byte[] file) throws IOException;
    }

    /// A request as it came.
    record Seen(String path, String range, String ifRange, String authorization) {}

    final List<Seen> seen = new CopyOnWriteArrayList<>();
    final Map<String, Fault> faults = new ConcurrentHashMap<>();
    private final Map<String, byte[]> files = new LinkedHashMap<>();
    private final HttpServer server;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final String prefix;
    private final String api;

    public HubServer(String kind, String name) throws IOException {
        api = "/api/%ss/%s/revision/".formatted(kind, name);
        prefix = (kind.equals("dataset") ? "/datasets/" : "/") + name + "/resolve/" + COMMIT + "/";
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::handle);
        server.setExecutor(threads);
        server.start();
    }

    public HubServer put(String path, byte[] bytes) {
        files.put(path, bytes);
        return this;
    }

    HubServer put(String path, String text) {
        return put(path, text.getBytes(StandardCharsets.UTF_8));
    }

    public URI address() {
        return URI.create("http://localhost:" + server.getAddress().getPort());
    }

    /// The same server under another name.
    URI otherAddress() {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
    }

    HubSettings settings(Path cache) {
        return new HubSettings(address(), Optional.empty(), cache, 4, Duration.ofMillis(5), Duration.ofSeconds(10));
    }

    long downloads(String path) {
        return seen.stream().filter(request -> request.path.equals(prefix + path)).count();
    }

    List<Seen> requests(String path) {
        return seen.stream().filter(request -> request.path.equals(prefix + path)).toList();
    }

    private void handle(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        seen.add(new Seen(path, exchange.getRequestHeaders().getFirst("Range"),
                exchange.getRequestHeaders().getFirst("If-Range"), exchange.getRequestHeaders().getFirst("Authorization")));
        try (exchange) {
            byte[] file = files.get(path.startsWith(prefix) ? path.substring(prefix.length()) : "");
            Fault fault = faults.get(path.startsWith(prefix) ? path.substring(prefix.length()) : path);
            if (fault != null && fault.answer(exchange, file)) return;
            if (path.startsWith(api)) send(exchange, 200, listing().getBytes(StandardCharsets.UTF_8));
            else if (file == null) send(exchange, 404, new byte[0]);
            else sendFile(exchange, file);
        }
    }

    static void send(HttpExchange exchange, int status, byte[] bytes) throws IOException {
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    /// The file, or the part of it that is asked for.
    static void sendFile(HttpExchange exchange, byte[] file) throws IOException {
        int from = start(exchange);
        exchange.getResponseHeaders().set("ETag", '"' + sha256(file) + '"');
        if (from > 0) exchange.getResponseHeaders().set("Content-Range", "bytes %d-%d/%d".formatted(from, file.length - 1,
                file.length));
        send(exchange, from > 0 ? 206 : 200, Arrays.copyOfRange(file, from, file.length));
    }

    /// Only so many bytes of what was asked for, and then the connection breaks.
    static void sendAndBreak(HttpExchange exchange, byte[] file, int bytes) throws IOException {
        int from = start(exchange);
        exchange.getResponseHeaders().set("ETag", '"' + sha256(file) + '"');
        if (from > 0) exchange.getResponseHeaders().set("Content-Range", "bytes %d-%d/%d".formatted(from, file.length - 1,
                file.length));
        exchange.sendResponseHeaders(from > 0 ? 206 : 200, file.length - from);
        exchange.getResponseBody().write(file, from, Math.min(bytes, file.length - from));
        exchange.getResponseBody().flush();
    }

    private static int start(HttpExchange exchange) {
        String range = exchange.getRequestHeaders().getFirst("Range");
        return range == null ? 0 : Integer.parseInt(range.replaceAll("bytes=(\\d+)-", "$1"));
    }

    private String listing() {
        ObjectNode info = JSON.createObjectNode().put("sha", COMMIT);
        ArrayNode siblings = info.putArray("siblings");
        files.forEach((path, bytes) -> {
            ObjectNode file = siblings.addObject().put("rfilename", path).put("size", bytes.length);
            if (path.matches(".*\\.(safetensors|bin|parquet)")) {
                file.put("blobId", gitId("pointer".getBytes(StandardCharsets.UTF_8)));
                file.putObject("lfs").put("sha256", sha256(bytes)).put("size", bytes.length).put("pointerSize", 135);
            } else {
                file.put("blobId", gitId(bytes));
            }
        });
        return info.toString();
    }

    static String sha256(byte[] bytes) {
        return digest("SHA-256", new byte[0], bytes);
    }

    static String gitId(byte[] bytes) {
        return digest("SHA-1", ("blob " + bytes.length + "\0").getBytes(StandardCharsets.UTF_8), bytes);
    }

    private static String digest(String algorithm, byte[] head, byte[] bytes) {
        try {
            MessageDigest digest = MessageDigest.getInstance(algorithm);
            digest.update(head);
            return HexFormat.of().formatHex(digest.digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
