package dev.gale.train.hub;

import dev.gale.tensor.InputException;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.PatternSyntaxException;

/// Which files of a repository are downloaded: data that cannot run anything. Of a model the weights as safetensors, beside
/// each other at the top, and configuration, tokenizer and templates; of a dataset the tables.
public final class FileChoice {
    private static final List<String> PICKLED = List.of(".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy",
            ".npz");
    private static final List<String> TEXTS = List.of(".json", ".txt", ".jinja", ".md");
    private static final List<String> TABLES = List.of(".parquet", ".arrow", ".jsonl", ".ndjson", ".json", ".csv", ".tsv",
            ".json.gz", ".jsonl.gz", ".csv.gz", ".json.zst", ".jsonl.zst", ".csv.zst", ".md", ".txt");
    private static final String WEIGHTS = ".safetensors";
    private static final Set<String> LICENCES = Set.of("license", "notice");

    private final List<PathMatcher> include;
    private final List<String> patterns;

    private FileChoice(List<String> patterns) {
        this.patterns = patterns;
        this.include = patterns.stream().map(FileChoice::matcher).toList();
    }

    /// Only files that one of these patterns matches, e.g. `*.json` or `data/*.parquet`; with none, all that Gale can use.
    ///
    /// Throws InputException for a pattern that is malformed or asks for pickled files.
    public static FileChoice matching(List<String> patterns) {
        for (String pattern : patterns) {
            if (isPickled(pattern)) {
                throw new InputException(("--include %s asks for pickled files, which can run programs when they are read: "
                        + "take the .safetensors files").formatted(pattern));
            }
        }
        return new FileChoice(patterns);
    }

    private static PathMatcher matcher(String pattern) {
        try {
            return FileSystems.getDefault().getPathMatcher("glob:" + pattern);
        } catch (PatternSyntaxException e) {
            throw new InputException("--include %s is no pattern (%s): write e.g. '*.json'"
                    .formatted(pattern, e.getDescription()), e);
        }
    }

    private static boolean isPickled(String path) {
        return PICKLED.stream().anyMatch(path.toLowerCase(Locale.ROOT)::endsWith);
    }

    /// The files to download.
    ///
    /// Throws InputException when there is none, or a model has its weights as pickled files only.
    List<RemoteFile> of(RepoId repo, List<RemoteFile> files) {
        boolean model = repo.kind() == RepoId.Kind.MODEL;
        List<RemoteFile> chosen = new ArrayList<>(files.stream().filter(file -> wanted(file.path()))
                .filter(file -> model ? isOfModel(file.path()) : endsWithOne(TABLES, file.path())).toList());
        if (model && include.isEmpty()) {
            leaveOutSecondCopy(chosen);
            requireSafeWeights(repo, files, chosen);
        }
        if (chosen.isEmpty()) {
            throw new InputException(include.isEmpty()
                    ? "%s has no file that Gale can use: look at its files on the hub".formatted(repo)
                    : "%s has no file that --include %s chooses: look at its files on the hub"
                    .formatted(repo, String.join(", ", patterns)));
        }
        return chosen;
    }

    private boolean wanted(String path) {
        if (isPickled(path)) return false;
        if (include.isEmpty()) return !path.endsWith(WEIGHTS) || !path.contains("/");
        Path whole = Path.of(path);
        return include.stream().anyMatch(pattern -> pattern.matches(whole) || pattern.matches(whole.getFileName()));
    }

    private static boolean isOfModel(String path) {
        String name = path.substring(path.lastIndexOf('/') + 1).toLowerCase(Locale.ROOT);
        return path.endsWith(WEIGHTS) || name.endsWith(".model") || LICENCES.contains(name) || endsWithOne(TEXTS, path);
    }

    private static boolean endsWithOne(List<String> endings, String path) {
        return endings.stream().anyMatch(path.toLowerCase(Locale.ROOT)::endsWith);
    }

    /// Some models bring the same weights a second time, in the layout of the programs they come from.
    private static void leaveOutSecondCopy(List<RemoteFile> chosen) {
        boolean usual = chosen.stream().map(RemoteFile::path)
                .anyMatch(path -> path.equals("model.safetensors") || path.equals("model.safetensors.index.json"));
        if (usual) chosen.removeIf(file -> file.path().startsWith("consolidated") && file.path().endsWith(WEIGHTS));
    }

    private static void requireSafeWeights(RepoId repo, List<RemoteFile> all, List<RemoteFile> chosen) {
        if (chosen.stream().anyMatch(file -> file.path().endsWith(WEIGHTS))) return;
        all.stream().map(RemoteFile::path).filter(path -> isPickled(path) && !path.equals("training_args.bin")).findFirst()
                .ifPresent(pickled -> {
                    throw new InputException(("%s has its weights only as pickled files (%s), which can run programs when they "
                            + "are read: choose a revision or a copy with .safetensors files").formatted(repo, pickled));
                });
    }
}
