package dev.gale.train.hub;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.JsonProblem;
import java.util.ArrayList;
import java.util.List;

/// What a hub says about a repository: which commit a revision is, and its files.
///
/// @param commit 40 digits
/// @param files  all of them
record RepoListing(String commit, List<RemoteFile> files) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /// Reads the answer to `/api/models/<name>/revision/<revision>?blobs=true`.
    ///
    /// Throws HubException when it lacks commit, sizes or checksums, or a path leads out of the repository.
    static RepoListing parse(String text, RepoId repo) {
        JsonNode info;
        try {
            info = JSON.readTree(text);
        } catch (JsonProcessingException e) {
            throw new HubException("the hub's answer about %s is not JSON (%s): is HF_ENDPOINT the address of a hub?"
                    .formatted(repo, JsonProblem.where(e)), e);
        }
        String commit = info.path("sha").asText();
        if (!RepoId.isCommit(commit) || !info.path("siblings").isArray()) {
            throw new HubException("the hub's answer about %s has no commit and files: is HF_ENDPOINT the address of a hub?"
                    .formatted(repo));
        }
        List<RemoteFile> files = new ArrayList<>();
        for (JsonNode entry : info.path("siblings")) files.add(file(entry, repo));
        return new RepoListing(commit, files);
    }

    private static RemoteFile file(JsonNode entry, RepoId repo) {
        String path = entry.path("rfilename").asText();
        if (!RepoId.isInside(path) || path.contains(":")) {
            throw new HubException("the hub lists '%s' in %s, a path that leads out of it: nothing was downloaded"
                    .formatted(path, repo));
        }
        JsonNode large = entry.path("lfs");
        String digits = large.isObject() ? large.path("sha256").asText(large.path("oid").asText())
                : entry.path("blobId").asText();
        JsonNode size = large.path("size").isIntegralNumber() ? large.path("size") : entry.path("size");
        Checksum checksum = Checksum.of(digits).orElse(null);
        if (checksum == null || !size.isIntegralNumber() || size.longValue() < 0) {
            throw new HubException("the hub names no size and checksum for %s in %s, so that a download could not be checked"
                    .formatted(path, repo));
        }
        return new RemoteFile(path, size.longValue(), checksum);
    }
}
