package dev.gale.train.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import java.net.URI;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class HubSettingsTest {
    private static HubSettings of(Map<String, String> environment) {
        return HubSettings.of(environment::get, Path.of("/home/me"));
    }

    @Test
    void theCacheIsWhereHuggingFaceLooks() {
        assertEquals(Path.of("/home/me/.cache/huggingface/hub"), of(Map.of()).cache());
        assertEquals(Path.of("/x/huggingface/hub"), of(Map.of("XDG_CACHE_HOME", "/x")).cache());
        assertEquals(Path.of("/h/hub"), of(Map.of("HF_HOME", "/h", "XDG_CACHE_HOME", "/x")).cache());
        assertEquals(Path.of("/c"), of(Map.of("HF_HUB_CACHE", "/c", "HF_HOME", "/h")).cache());
        assertEquals(Path.of("/home/me/c"), of(Map.of("HF_HUB_CACHE", "~/c")).cache());
    }

    @Test
    void theEndpointIsTheEnvironments() {
        assertEquals(URI.create("https://huggingface.co"), of(Map.of()).endpoint());
        assertEquals(URI.create("http://mirror:8080/hub"), of(Map.of("HF_ENDPOINT", "http://mirror:8080/hub/")).endpoint());
        for (String wrong : new String[] {"mirror", "ftp://mirror", "http://", "http://a b"}) {
            InputException e = assertThrows(InputException.class, () -> of(Map.of("HF_ENDPOINT", wrong)));
            assertTrue(e.getMessage().contains("HF_ENDPOINT"), e.getMessage());
        }
    }

    @Test
    void theTokenIsNeverShown() {
        assertEquals(Optional.of("hf_secret"), of(Map.of("HF_TOKEN", " hf_secret\n")).token());
        assertEquals(Optional.empty(), of(Map.of("HF_TOKEN", "")).token());
        assertFalse(of(Map.of("HF_TOKEN", "hf_secret")).toString().contains("secret"));
        InputException e = assertThrows(InputException.class, () -> of(Map.of("HF_TOKEN", "hf_se\ncret")));
        assertFalse(e.getMessage().contains("hf_se"), e.getMessage());
    }

    @Test
    void repositoriesHaveNames() {
        assertEquals(new RepoId(RepoId.Kind.MODEL, "org/na.me-1", "refs/pr/1"), RepoId.parse(RepoId.Kind.MODEL,
                "org/na.me-1@refs/pr/1"));
        for (String wrong : new String[] {"", "a/b/c", "../x", "a/..", "a/b@", "a/b@../x", "a/b@x y", "/a", "a//b", "a/b@/x"}) {
            assertThrows(InputException.class, () -> RepoId.parse(RepoId.Kind.MODEL, wrong), wrong);
        }
    }
}
