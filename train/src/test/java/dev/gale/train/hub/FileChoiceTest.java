package dev.gale.train.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class FileChoiceTest {
    private static final RepoId MODEL = RepoId.parse(RepoId.Kind.MODEL, "org/name");
    private static final RepoId DATASET = RepoId.parse(RepoId.Kind.DATASET, "org/name");

    private static List<RemoteFile> files(String... paths) {
        Checksum any = Checksum.of("0".repeat(40)).orElseThrow();
        return Arrays.stream(paths).map(path -> new RemoteFile(path, 1, any)).toList();
    }

    private static List<String> chosen(RepoId repo, List<String> patterns, String... paths) {
        return FileChoice.matching(patterns).of(repo, files(paths)).stream().map(RemoteFile::path).toList();
    }

    @Test
    void modelsBringWhatCannotRun() {
        assertEquals(List.of("config.json", "model.safetensors", "tokenizer.model", "merges.txt", "chat_template.jinja",
                        "README.md", "LICENSE", "original/params.json"),
                chosen(MODEL, List.of(), "config.json", "model.safetensors", "tokenizer.model", "merges.txt",
                        "chat_template.jinja", "README.md", "LICENSE", "original/params.json", "pytorch_model.bin",
                        "consolidated.safetensors", "checkpoint-5/model.safetensors", "original/consolidated.00.pth",
                        "modeling.py", "a.ckpt", "b.pt", "model.onnx", "figure.png"));
    }

    @Test
    void datasetsBringTables() {
        assertEquals(List.of("README.md", "data/train.parquet", "a.jsonl", "b.csv", "c.json.gz", "d.jsonl.zst",
                "train/e.arrow"),
                chosen(DATASET, List.of(), "README.md", "data/train.parquet", "a.jsonl", "b.csv", "c.json.gz", "d.jsonl.zst",
                        "train/e.arrow", "load.py", "x.bin", "y.tar", "images.zip"));
    }

    @Test
    void patternsChoose() {
        assertEquals(List.of("config.json", "a/b.json"), chosen(MODEL, List.of("*.json"), "config.json", "a/b.json", "c.txt"));
        assertEquals(List.of("a/b.json"), chosen(MODEL, List.of("a/*"), "config.json", "a/b.json", "a/c.bin"));
        InputException none = assertThrows(InputException.class, () -> chosen(MODEL, List.of("x*"), "config.json"));
        assertTrue(none.getMessage().contains("--include x*"), none.getMessage());
        assertThrows(InputException.class, () -> FileChoice.matching(List.of("[")));
    }

    @Test
    void pickledWeightsAreRefused() {
        for (String name : List.of("pytorch_model.bin", "model.pt", "model.ckpt", "consolidated.00.pth")) {
            InputException e = assertThrows(InputException.class, () -> chosen(MODEL, List.of(), "config.json", name));
            assertTrue(e.getMessage().contains(name) && e.getMessage().contains("run programs"), e.getMessage());
        }
        assertThrows(InputException.class, () -> FileChoice.matching(List.of("*.bin")));
        assertEquals(List.of("adapter_model.safetensors"),
                chosen(MODEL, List.of(), "adapter_model.safetensors", "training_args.bin"));
        assertThrows(InputException.class, () -> chosen(MODEL, List.of(), "x.png"));
    }
}
