package dev.gale.peft;

import dev.gale.nn.CausalLm;
import dev.gale.nn.HostWeights;
import dev.gale.nn.TokenAdapter;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import java.util.Set;

/// Rows of the embedding and of the head that `trainable_token_indices` names. A tied head learns with the embedding, unless it
/// is named with other tokens.
/// Source: peft `utils/other.py` (`set_additional_trainable_modules`), `tuners/trainable_tokens/layer.py`.
final class TrainedTokens {
    private static final String HEAD = "lm_head";
    private static final String TABLE = ".token_adapter.base_layer.weight";

    private final CausalLm model;
    private final List<Integer> ofEmbedding;         // empty for none
    private final List<Integer> ofHead;
    private final boolean shared;
    private TokenAdapter embedding;                  // null until `make`, and for none
    private TokenAdapter head;

    /// Throws: InputException when a module or token is unknown, or a module is trained in another way, too.
    TrainedTokens(CausalLm model, LoraConfig config, Set<String> trainedWhole, boolean adaptsEmbedding) {
        this.model = model;
        TokenIndices indices = config.trainableTokenIndices();
        boolean tied = model.config().tieWordEmbeddings();
        String path = EmbeddingLora.path(model);
        ofEmbedding = indices.of(path, true);
        ofHead = indices.of(HEAD, false);
        shared = tied && !ofEmbedding.isEmpty() && (ofHead.isEmpty() || ofHead.equals(ofEmbedding));
        for (String module : indices.byModule().keySet()) {
            if (!module.isEmpty() && (path.endsWith(module) || HEAD.endsWith(module))) continue;
            throw InputException.unknown("module in trainable_token_indices of the adapter", module,
                    List.of("embed_tokens", HEAD));
        }
        requireKnown(ofEmbedding);
        requireKnown(ofHead);
        requireAlone(path, ofEmbedding.isEmpty(), trainedWhole, adaptsEmbedding);
        requireAlone(HEAD, ofHead.isEmpty() && !shared, trainedWhole, false);
        if (parts() && HostWeights.waits(model.ops(), model.head().value())) {
            throw new InputException("trainable_token_indices parts the tied head from the embedding, which offload_embedding "
                    + "does not; leave one of them out, or name the same tokens for both");
        }
        if (!ofHead.isEmpty() && model.parameters().stream().anyMatch(parameter -> parameter.name().equals("lm_head.bias"))) {
            throw new InputException("trainable_token_indices names lm_head, which has a bias that PEFT would leave out then; "
                    + "train it whole with modules_to_save");
        }
    }

    private void requireKnown(List<Integer> ids) {
        for (int id : ids) {
            if (id < model.config().vocabSize()) continue;
            throw new InputException(("trainable_token_indices has token %d, but this model has %d; add it with add_tokens or "
                    + "leave it out").formatted(id, model.config().vocabSize()));
        }
    }

    private static void requireAlone(String path, boolean unnamed, Set<String> trainedWhole, boolean adapted) {
        if (unnamed || !adapted && !trainedWhole.contains(path + ".weight")) return;
        throw new InputException("%s is in trainable_token_indices and in %s; take it out of one"
                .formatted(path, adapted ? "target_modules" : "modules_to_save"));
    }

    boolean isEmpty() {
        return ofEmbedding.isEmpty() && ofHead.isEmpty();
    }

    /// Whether a tied head goes apart from the embedding.
    boolean parts() {
        return model.config().tieWordEmbeddings() && !isEmpty() && !shared;
    }

    /// Whether the head is the embedding, and so are its rows.
    boolean shared() {
        return shared;
    }

    /// Makes the rows, of the tables as they are now.
    void make(boolean trainable) {
        Parameter table = model.embedding();
        if (!ofEmbedding.isEmpty()) embedding = new TokenAdapter(model.ops(), table, ids(ofEmbedding), false, trainable);
        if (shared) head = embedding;
        else if (!ofHead.isEmpty()) {
            boolean sharesValue = model.head().value() == table.value();
            head = new TokenAdapter(model.ops(), model.head(), ids(ofHead), sharesValue, trainable);
        }
    }

    private static int[] ids(List<Integer> ids) {
        return ids.stream().mapToInt(Integer::intValue).toArray();
    }

    private SequencedSet<TokenAdapter> all() {
        SequencedSet<TokenAdapter> all = new LinkedHashSet<>();
        if (embedding != null) all.add(embedding);
        if (head != null) all.add(head);
        return all;
    }

    List<Parameter> own() {
        return all().stream().map(TokenAdapter::rows).toList();
    }

    void addTo(Map<String, Tensor> tensors) {
        for (Parameter parameter : own()) tensors.put(AdapterFile.name(parameter.name()), parameter.value());
    }

    /// Name in a file of a table that is saved whole, which PEFT wraps where rows of it are trained.
    ///
    /// @param parameter e.g. `lm_head.weight`
    String fileName(String parameter) {
        boolean wrapped = parameter.equals(model.embedding().name()) && embedding != null
                || parameter.equals("lm_head.weight") && head != null;
        return wrapped ? wrapped(parameter) : AdapterFile.name(parameter);
    }

    static String wrapped(String parameter) {
        String name = AdapterFile.name(parameter);
        return name.substring(0, name.lastIndexOf('.')) + TABLE;
    }

    /// The tables of a model that has got more tokens, by their names in files, unless they are saved already.
    Map<String, Tensor> grown(Set<String> saved) {
        Map<String, Tensor> tables = new LinkedHashMap<>();
        if (isEmpty() || !model.isResized()) return tables;
        for (Parameter table : new LinkedHashSet<>(List.of(model.embedding(), model.head()))) {
            if (!saved.contains(table.name())) tables.put(fileName(table.name()), table.value());
        }
        return tables;
    }

    /// What PEFT writes again for a head that is the embedding.
    Set<String> repeated() {
        String path = AdapterFile.name(HEAD);
        return shared ? Set.of(path + TABLE, path + ".token_adapter.trainable_tokens_delta", path + ".weight") : Set.of();
    }

    void putIn() {
        all().forEach(TokenAdapter::enable);
        model.embeddingAdapters().set(embedding, head);
    }

    /// Leaves the rows where they are: see `disable`.
    void takeOut() {
        model.embeddingAdapters().set(null, null);
    }

    /// Gives the tables their own rows back.
    void disable() {
        all().forEach(TokenAdapter::disable);
    }

    /// Leaves the rows in the tables.
    /// Throws: InputException when they have NaN or infinite values there.
    void merge() {
        for (TokenAdapter adapter : all()) {
            if (adapter.isFinite()) continue;
            throw new InputException(("merging makes NaN or infinite values in %s; check the adapter, or load the base in a "
                    + "dtype with a wider range").formatted(adapter.rows().name()));
        }
        all().forEach(TokenAdapter::write);
    }

    void release() {
        all().forEach(TokenAdapter::release);
    }
}
