package dev.gale.train.hub;

import dev.gale.tensor.InputException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// A repository of a hub in one of its states.
///
/// @param kind     models or datasets
/// @param name     `org/name`; some old ones are only `name`
/// @param revision branch, tag or commit
public record RepoId(Kind kind, String name, String revision) {
    /// The branch that is meant when none is named.
    public static final String MAIN = "main";

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_][\\w.-]*(/[A-Za-z0-9_][\\w.-]*)?");
    private static final Pattern REVISION = Pattern.compile("[^\\p{Cntrl}\\s\\\\:*?\"<>|~^]+");
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

    /// What a repository holds.
    public enum Kind {
        MODEL("models", ""),
        DATASET("datasets", "datasets/");

        private final String plural;
        private final String path;

        Kind(String plural, String path) {
            this.plural = plural;
            this.path = path;
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /// Reads `org/name` or `org/name@revision`.
    ///
    /// Throws InputException when it is neither.
    public static RepoId parse(Kind kind, String text) {
        int at = text.indexOf('@');
        String name = at < 0 ? text : text.substring(0, at);
        String revision = at < 0 ? MAIN : text.substring(at + 1);
        if (!isName(name)) {
            throw new InputException("'%s' names no %s of a hub: write org/name or org/name@revision".formatted(text, kind));
        }
        if (!REVISION.matcher(revision).matches() || !isInside(revision)) {
            throw new InputException("'%s' names no revision: write a branch, a tag or a commit after the @".formatted(text));
        }
        return new RepoId(kind, name, revision);
    }

    /// Whether a text could be the name of a repository, without revision.
    static boolean isName(String text) {
        return NAME.matcher(text).matches() && !text.contains("..") && text.length() <= 200;
    }

    /// Whether a path with `/` stays in the folder it is put into.
    static boolean isInside(String path) {
        return !path.startsWith("/") && !path.contains("\\")
                && Arrays.stream(path.split("/", -1)).noneMatch(part -> part.isEmpty() || part.equals(".")
                || part.equals(".."));
    }

    /// Whether the revision is a commit, which always means the same files.
    boolean isCommit() {
        return isCommit(revision);
    }

    static boolean isCommit(String text) {
        return COMMIT.matcher(text).matches();
    }

    /// Folder of the repository in a cache, as huggingface_hub names it.
    String folder() {
        return kind.plural + "--" + name.replace("/", "--");
    }

    /// Where its description is, after the endpoint.
    String infoPath() {
        return "/api/%s/%s/revision/%s?blobs=true".formatted(kind.plural, name, encoded(revision));
    }

    /// Where a file of one of its commits is, after the endpoint.
    String filePath(String commit, String file) {
        return "/%s%s/resolve/%s/%s".formatted(kind.path, name, commit,
                Arrays.stream(file.split("/")).map(RepoId::encoded).collect(Collectors.joining("/")));
    }

    private static String encoded(String part) {
        return URLEncoder.encode(part, StandardCharsets.UTF_8).replace("+", "%20");
    }

    @Override
    public String toString() {
        return revision.equals(MAIN) ? name : name + "@" + revision;
    }
}
