package dev.gale.train.tokenizer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.JsonProblem;
import dev.gale.tensor.InputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;

/// The `tokenizer.json` of a byte-level BPE that comes as `vocab.json` and `merges.txt`, as GPT-2's does. What those
/// files do not say, how a text is split before, the class of the tokenizer does.
///
/// Source: `GPT2Tokenizer` and `Qwen2Tokenizer` of huggingface/transformers.
final class ByteLevelTokenizer {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Set<String> AS_GPT2 = Set.of("GPT2Tokenizer", "GPT2TokenizerFast", "OLMoTokenizer", "CodeGenTokenizer",
            "CodeGenTokenizerFast");
    private static final Set<String> AS_QWEN2 = Set.of("Qwen2Tokenizer", "Qwen2TokenizerFast");
    private static final String QWEN2_SPLIT = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
            + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

    private ByteLevelTokenizer() {}

    /// @param tokenizerClass `tokenizer_class` of `tokenizer_config.json`; GPT-2's when empty
    /// @param prefix         `add_prefix_space`: a blank is put before a text that begins with none
    /// Throws InputException when a file is malformed or the class is not known.
    static String json(Path vocabFile, Path mergesFile, Optional<String> tokenizerClass, boolean prefix) {
        ObjectNode root = JSON.createObjectNode();
        root.put("version", "1.0").putNull("truncation").putNull("padding").putArray("added_tokens");
        String name = tokenizerClass.orElse("GPT2Tokenizer");
        if (AS_QWEN2.contains(name)) splitAsQwen2(root, prefix);
        else if (AS_GPT2.contains(name)) splitAsGpt2(root, prefix);
        else {
            throw new InputException(("%s: the files of a %s do not say how it splits text; give a tokenizer.json "
                    + "(Transformers' save_pretrained writes one)").formatted(vocabFile, name));
        }
        byteLevel(root.putObject("post_processor"), false, false);
        byteLevel(root.putObject("decoder"), true, true);
        ObjectNode model = root.putObject("model");
        model.put("type", "BPE").putNull("dropout").putNull("unk_token").put("fuse_unk", false).put("byte_fallback", false)
                .put("ignore_merges", false);
        model.set("vocab", vocabulary(vocabFile));
        merges(mergesFile, model.putArray("merges"));
        return root.toString();
    }

    private static void splitAsGpt2(ObjectNode root, boolean prefix) {
        root.putNull("normalizer");
        byteLevel(root.putObject("pre_tokenizer"), prefix, true);
    }

    private static void splitAsQwen2(ObjectNode root, boolean prefix) {
        root.putObject("normalizer").put("type", "NFC");
        ArrayNode steps = root.putObject("pre_tokenizer").put("type", "Sequence").putArray("pretokenizers");
        steps.addObject().put("type", "Split").put("behavior", "Isolated").put("invert", false).putObject("pattern")
                .put("Regex", QWEN2_SPLIT);
        byteLevel(steps.addObject(), prefix, false);
    }

    private static void byteLevel(ObjectNode node, boolean prefix, boolean regex) {
        node.put("type", "ByteLevel").put("add_prefix_space", prefix).put("trim_offsets", false).put("use_regex", regex);
    }

    private static JsonNode vocabulary(Path file) {
        try {
            JsonNode vocabulary = JSON.readTree(TextFile.read(file));
            boolean ids = vocabulary.isObject() && !vocabulary.isEmpty();
            for (JsonNode id : vocabulary) ids &= id.isInt() && id.intValue() >= 0;
            if (!ids) {
                throw new InputException("%s is not a vocabulary: an object of tokens with their ids is expected"
                        .formatted(file));
            }
            return vocabulary;
        } catch (JsonProcessingException e) {
            throw new InputException("%s is not valid JSON (%s); download it again".formatted(file, JsonProblem.where(e)), e);
        }
    }

    private static void merges(Path file, ArrayNode merges) {
        if (!Files.isRegularFile(file)) {
            throw new InputException("%s does not exist; a vocab.json needs the merges.txt it came with".formatted(file));
        }
        int number = 0;
        for (String line : TextFile.read(file).split("\n")) {
            number++;
            String merge = line.endsWith("\r") ? line.substring(0, line.length() - 1) : line;
            if (merge.isEmpty() || number == 1 && merge.startsWith("#version")) continue;
            int blank = merge.indexOf(' ');
            if (blank < 1 || blank != merge.lastIndexOf(' ') || blank == merge.length() - 1) {
                throw new InputException("%s, line %d is not a merge of two tokens with a blank between them; download it again"
                        .formatted(file, number));
            }
            merges.addArray().add(merge.substring(0, blank)).add(merge.substring(blank + 1));
        }
    }
}
