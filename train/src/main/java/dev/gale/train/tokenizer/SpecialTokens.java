package dev.gale.train.tokenizer;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.train.tokenizer.TokenizerFile.AddedToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// Brings a `tokenizer.json` in line with the files beside it, as Transformers does when it loads them: tokens that only
/// those name are added, and special tokens are recognized in a text. What a text begins and ends with is a
/// `tokenizer.json`'s own business; of one made from other files `add_bos_token` and `add_eos_token` decide it.
///
/// Source: `_from_pretrained` of `PreTrainedTokenizerBase` and `TokenizersBackend` of huggingface/transformers 5.18.
final class SpecialTokens {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final TokenizerFile file;
    private final TokenizerConfig config;

    private SpecialTokens(TokenizerFile file, TokenizerConfig config) {
        this.file = file;
        this.config = config;
    }

    /// @param frames whether `add_bos_token` and `add_eos_token` hold
    static String apply(String json, TokenizerFile file, TokenizerConfig config, boolean frames) throws IOException {
        SpecialTokens tokens = new SpecialTokens(file, config);
        List<ObjectNode> added = tokens.added();
        boolean bos = frames && tokens.adds(config.addBosToken(), "bos_token");
        boolean eos = frames && tokens.adds(config.addEosToken(), "eos_token");
        if (added.isEmpty() && !bos && !eos) return json;
        ObjectNode root = (ObjectNode) JSON.readTree(json);
        ArrayNode list = root.withArray("added_tokens");
        added.forEach(list::add);
        if (bos || eos) root.set("post_processor", tokens.postProcessor(bos, eos));
        return root.toString();
    }

    /// What the list of added tokens lacks; tokens that the vocabulary does not have come after it.
    private List<ObjectNode> added() {
        Set<String> listed = new HashSet<>();
        for (AddedToken token : file.added()) listed.add(token.content());
        List<ObjectNode> missing = new ArrayList<>();
        int next = file.size();
        Set<String> special = new LinkedHashSet<>(config.tokens().values());
        for (ObjectNode token : config.added()) {
            String text = token.get("content").textValue();
            if (text.isEmpty() || !listed.add(text)) continue;
            Integer known = file.ids().get(text);
            ObjectNode entry = token.deepCopy().put("id", known == null ? next++ : known);
            if (special.contains(text)) entry.put("special", true);
            missing.add(entry);
        }
        for (String text : special) {
            Integer known = file.ids().get(text);
            if (known != null && listed.add(text)) missing.add(TokenizerFile.addedToken(known, text, true, false));
        }
        return missing;
    }

    private boolean adds(Optional<Boolean> wanted, String role) {
        return wanted.orElse(false) && file.ids().containsKey(config.tokens().get(role));
    }

    private ObjectNode postProcessor(boolean bos, boolean eos) {
        ObjectNode sequence = JSON.createObjectNode().put("type", "Sequence");
        ArrayNode steps = sequence.putArray("processors");
        if (file.postProcessor() != null && !file.postProcessor().isNull()) steps.add(file.postProcessor());
        steps.add(template(bos, eos));
        return sequence;
    }

    private ObjectNode template(boolean bos, boolean eos) {
        ObjectNode template = JSON.createObjectNode().put("type", "TemplateProcessing");
        ObjectNode tokens = JSON.createObjectNode();
        for (String name : List.of("single", "pair")) {
            ArrayNode parts = template.putArray(name);
            for (int type = 0; type < (name.equals("pair") ? 2 : 1); type++) {
                if (bos) special("bos_token", type, parts, tokens);
                parts.addObject().putObject("Sequence").put("id", type == 0 ? "A" : "B").put("type_id", type);
                if (eos) special("eos_token", type, parts, tokens);
            }
        }
        template.set("special_tokens", tokens);
        return template;
    }

    private void special(String role, int type, ArrayNode parts, ObjectNode tokens) {
        String text = config.tokens().get(role);
        parts.addObject().putObject("SpecialToken").put("id", text).put("type_id", type);
        ObjectNode token = tokens.putObject(text).put("id", text);
        token.putArray("ids").add(file.ids().get(text));
        token.putArray("tokens").add(text);
    }
}
