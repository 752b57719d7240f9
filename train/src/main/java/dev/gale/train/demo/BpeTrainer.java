package dev.gale.train.demo;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Learns a byte-level BPE vocabulary and writes it as `tokenizer.json`: repeatedly joins the most frequent pair of
/// neighbours, ties going to the pair that sorts first. Fit for small corpora: every round looks at all distinct words.
/// Source: Sennrich et al. 2016, arXiv 1508.07909; the byte alphabet and word pattern of GPT-2.
final class BpeTrainer {
    private static final Pattern WORD = Pattern.compile(
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+");

    private final List<String> special;
    private final int vocabSize;

    /// @param special   tokens that are never split, numbered from 0
    /// @param vocabSize entries in all, at least 256 + the special ones
    BpeTrainer(List<String> special, int vocabSize) {
        this.special = special;
        this.vocabSize = vocabSize;
    }

    private record Pair(String left, String right) implements Comparable<Pair> {
        @Override
        public int compareTo(Pair other) {
            int byLeft = left.compareTo(other.left);
            return byLeft != 0 ? byLeft : right.compareTo(other.right);
        }
    }

    /// The content of a `tokenizer.json` learned from these texts.
    ObjectNode train(Iterable<String> texts) {
        List<String> alphabet = byteAlphabet();
        Map<List<String>, Integer> words = countWords(texts, alphabet);
        Map<String, Integer> vocab = new LinkedHashMap<>();
        special.forEach(token -> vocab.put(token, vocab.size()));
        alphabet.stream().sorted().forEach(symbol -> vocab.put(symbol, vocab.size()));
        List<Pair> merges = new ArrayList<>();
        while (vocab.size() < vocabSize) {
            Pair best = mostFrequent(words);
            if (best == null) break;
            merges.add(best);
            vocab.putIfAbsent(best.left + best.right, vocab.size());
            words = join(words, best);
        }
        return write(vocab, merges);
    }

    private static Map<List<String>, Integer> countWords(Iterable<String> texts, List<String> alphabet) {
        Map<String, Integer> counts = new HashMap<>();
        for (String text : texts) {
            Matcher matcher = WORD.matcher(text);
            while (matcher.find()) counts.merge(matcher.group(), 1, Integer::sum);
        }
        Map<List<String>, Integer> words = new HashMap<>();
        counts.forEach((word, count) -> {
            List<String> symbols = new ArrayList<>();
            for (byte b : word.getBytes(StandardCharsets.UTF_8)) symbols.add(alphabet.get(b & 0xFF));
            words.merge(symbols, count, Integer::sum);
        });
        return words;
    }

    private static Pair mostFrequent(Map<List<String>, Integer> words) {
        Map<Pair, Integer> pairs = new TreeMap<>();
        words.forEach((symbols, count) -> {
            for (int i = 0; i + 1 < symbols.size(); i++) {
                pairs.merge(new Pair(symbols.get(i), symbols.get(i + 1)), count, Integer::sum);
            }
        });
        Pair best = null;
        for (Map.Entry<Pair, Integer> entry : pairs.entrySet()) {
            if (best == null || entry.getValue() > pairs.get(best)) best = entry.getKey();
        }
        return best;
    }

    private static Map<List<String>, Integer> join(Map<List<String>, Integer> words, Pair pair) {
        Map<List<String>, Integer> joined = new HashMap<>();
        words.forEach((symbols, count) -> {
            List<String> next = new ArrayList<>();
            for (int i = 0; i < symbols.size(); i++) {
                boolean match = i + 1 < symbols.size() && symbols.get(i).equals(pair.left)
                        && symbols.get(i + 1).equals(pair.right);
                next.add(match ? pair.left + pair.right : symbols.get(i));
                if (match) i++;
            }
            joined.merge(next, count, Integer::sum);
        });
        return joined;
    }

    /// GPT-2's printable stand-ins for the 256 bytes: printable Latin-1 characters stand for themselves, the others for
    /// the code points from 256 on, in order.
    static List<String> byteAlphabet() {
        List<String> alphabet = new ArrayList<>();
        int next = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE && b <= 0xFF;
            alphabet.add(String.valueOf((char) (printable ? b : next++)));
        }
        return alphabet;
    }

    private ObjectNode write(Map<String, Integer> vocab, List<Pair> merges) {
        ObjectNode root = new ObjectMapper().createObjectNode();
        root.put("version", "1.0").putNull("truncation").putNull("padding");
        ArrayNode added = root.putArray("added_tokens");
        for (String token : special) {
            added.addObject().put("id", vocab.get(token)).put("content", token).put("single_word", false).put("lstrip", false)
                    .put("rstrip", false).put("normalized", false).put("special", true);
        }
        root.putNull("normalizer");
        root.putObject("pre_tokenizer").put("type", "ByteLevel").put("add_prefix_space", false).put("trim_offsets", false)
                .put("use_regex", true);
        root.putNull("post_processor");
        root.putObject("decoder").put("type", "ByteLevel").put("add_prefix_space", true).put("trim_offsets", true)
                .put("use_regex", true);
        ObjectNode model = root.putObject("model").put("type", "BPE").putNull("dropout").putNull("unk_token")
                .putNull("continuing_subword_prefix").putNull("end_of_word_suffix").put("fuse_unk", false)
                .put("byte_fallback", false).put("ignore_merges", false);
        ObjectNode entries = model.putObject("vocab");
        vocab.forEach(entries::put);
        ArrayNode list = model.putArray("merges");
        merges.forEach(pair -> list.addArray().add(pair.left).add(pair.right));
        return root;
    }
}
