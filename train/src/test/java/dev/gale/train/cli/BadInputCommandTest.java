package dev.gale.train.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.train.demo.Demo;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// What people give wrong is answered with one sentence that names it, exit code 2, and no file changed.
class BadInputCommandTest {
    private static final String EMBEDDING = "model.embed_tokens.weight";
    private static final String UP = "model.layers.1.mlp.up_proj.weight";
    private static final String INDEX = "model/model.safetensors.index.json";
    private static final String TEMPLATE = "model/chat_template.jinja";

    /// Makes something wrong and returns the command that meets it.
    @FunctionalInterface
    interface Mistake {
        List<Object> in(Workplace place) throws Exception;
    }

    /// A step of a mistake.
    @FunctionalInterface
    private interface Change {
        void to(Workplace place) throws Exception;
    }

    @ParameterizedTest
    @MethodSource({"weights", "models", "data", "keys", "values", "folders", "adapters", "commands", "quantization"})
    void oneSentenceAndNothingHarmed(Mistake mistake, List<String> words, @TempDir Path folder) throws Exception {
        Workplace place = Workplace.at(folder);
        List<Object> args = mistake.in(place);
        Map<Path, Integer> before = place.files();
        CommandRun run = CommandRun.of(args.toArray());
        assertEquals(2, run.exit(), run.toString());
        assertEquals(1, run.err().lines().count(), run.err());
        assertTrue(run.err().startsWith("gale: "), run.err());
        for (String word : words) assertTrue(run.err().contains(word), word + " is not in " + run.err());
        assertEquals("", run.out());
        assertEquals(before, place.files());
    }

    private static Arguments of(String name, Mistake mistake, String... words) {
        return Arguments.of(Named.of(name, mistake), List.of(words));
    }

    private static Arguments model(String name, Change change, String... words) {
        return of(name, place -> {
            change.to(place);
            return place.prompt();
        }, words);
    }

    private static Arguments rows(String name, String text, String... words) {
        return of(name, place -> {
            place.write("data.jsonl", text);
            return place.train();
        }, words);
    }

    private static Arguments yaml(String name, String more, String... words) {
        return of(name, place -> {
            place.append("run.yaml", more);
            return place.train();
        }, words);
    }

    private static Arguments set(String override, String... words) {
        return of(override, place -> place.set(override), words);
    }

    static Stream<Arguments> weights() {
        return Stream.of(
                model("no weights", p -> p.delete("model/model.safetensors"), "model.safetensors",
                        "give a model folder"),
                model("cut off", p -> p.truncateWeights(200_000), "model.safetensors: tensor", "truncated"),
                model("all but cut away", p -> p.truncateWeights(5), "model.safetensors is truncated", "5 bytes"),
                model("header beyond the file", p -> p.claimHeader(1L << 40), "claims a header of 1099511627776 bytes"),
                model("header of negative length", p -> p.claimHeader(-1), "claims a header"),
                model("overlap", p -> p.tensor(UP, t -> t.set("data_offsets", Workplace.numbers(0, 40_960))),
                        "overlap at byte"),
                model("offsets out of range", p -> p.tensor("model.norm.weight", t ->
                        t.set("data_offsets", Workplace.numbers(508_932, 509_188))), "509188",
                                "the file holds only 509184"),
                model("unknown dtype", p -> p.tensor(UP, t -> t.put("dtype", "F12")), UP, "'F12'", "known are BOOL"),
                model("whole numbers", p -> p.tensor(EMBEDDING, t -> t.put("dtype", "I32")), EMBEDDING, "holds I32"),
                model("missing tensor", p -> p.header("model/model.safetensors", h -> h.set("other", h.remove(UP))),
                        "lacks tensor " + UP, "config.json"),
                model("missing shard", p -> {
                    p.delete("model/model.safetensors");
                    p.write(INDEX, "{\"weight_map\": {\"x\": \"model-00001-of-00002.safetensors\"}}");
                }, "model-00001-of-00002.safetensors is missing", "download it again"));
    }

    static Stream<Arguments> models() {
        return Stream.of(
                model("shape", p -> p.config("intermediate_size", 128), "[160, 64]", "config.json asks for [128, 64]"),
                model("architecture", p -> p.config("architectures", List.of("Foo")), "config.json", "'Foo'",
                        "LlamaForCausalLM"),
                model("heads and groups", p -> p.config("num_key_value_heads", 3), "num_key_value_heads 3",
                        "correct the file"),
                model("heads and width", p -> {
                    p.config("num_attention_heads", 6);
                    p.config("head_dim", null);
                }, "hidden_size 64 is not a multiple of num_attention_heads 6"),
                model("rope", p -> p.config("rope_parameters", "linear"),
                        "config.json: rope_scaling must be an object"),
                model("no config.json", p -> p.delete("model/config.json"), "config.json does not exist"),
                model("broken config.json", p -> p.write("model/config.json", "{"), "config.json is not JSON (line 1"),
                model("generation", p -> p.write("model/generation_config.json", "{\"top_k\": \"x\"}"),
                        "top_k must be a number"),
                model("no tokenizer", p -> p.delete("model/tokenizer.json"), "tokenizer.json does not exist"),
                model("tokenizer beyond the embedding", p -> Demo.writeTokenizer(p.path("model"), 50, 1, 400),
                        "tokenizer.json has ids up to 399", "320 rows"),
                of("broken chat template", p -> {
                    p.write(TEMPLATE, "{% for m in messages %}");
                    return p.generate("--chat", "hi");
                }, "chat template", "malformed", "endfor"),
                of("refusing chat template", p -> {
                    p.write(TEMPLATE, "{{ raise_exception('no way') }}");
                    return p.generate("--chat", "hi");
                }, "tokenizer.json does not accept", "no way"));
    }

    static Stream<Arguments> data() {
        return Stream.of(
                rows("not JSON", "{\"prompt\": \"a\", \"completion\": \"b\"}\nhello\n", "data.jsonl, line 2",
                        "correct or remove"),
                rows("unknown columns", "{\"question\": \"a\", \"answer\": \"b\"}\n", "line 1",
                        "it has: question, answer"),
                rows("missing column", "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"a\"}\n",
                        "line 2 has no column 'completion'; it has: prompt"),
                rows("empty", "", "data.jsonl is empty"),
                of("endless chat template", p -> {
                    p.write("data.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}\n");
                    p.write("endless.jinja", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}");
                    return p.set("dataset.chat_template=" + p.path("endless.jinja"));
                }, "data.jsonl, line 1", "endless.jinja", "it may loop without end"),
                of("turns that never end", p -> {
                    p.write("data.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, "
                            + "{\"role\": \"assistant\", \"content\": \"b\"}]}\n");
                    p.write("plain.jinja", "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}");
                    return p.set("dataset.chat_template=" + p.path("plain.jinja"));
                }, "no example trains the end of a turn", "let the chat template write it after each answer"),
                rows("longer than the context", "{\"text\": \"%s\"}".formatted("a 1 ".repeat(400)), "at most 256",
                        "max_length"),
                rows("to compare", "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}\n", "data.jsonl, line 1",
                        "set dataset.columns to {completion: chosen}"),
                rows("zero bytes", "{\"prompt\": \"a\0\", \"completion\": \"b\"}\n", "data.jsonl, line 1 has a zero byte"),
                option("a split that is not there", List.of("--set", "dataset.split=test"), "has no split 'test'"),
                option("a condition on nothing", List.of("--where", "length(outptu) > 20"), "the condition", "outptu"),
                option("a condition that nothing meets", List.of("--where", "prompt = 'it''s'"), "data.jsonl is empty"),
                option("a column that is not there", List.of("--set", "dataset.columns={prompt: question}"),
                        "line 1 has no column 'question'; it has: prompt, completion"));
    }

    private static Arguments option(String name, List<String> options, String... words) {
        return of(name, place -> place.train(options.toArray()), words);
    }

    static Stream<Arguments> keys() {
        return Stream.of(
                yaml("at the top", "learning_rat: 1\n", "run.yaml, line 8", "did you mean 'learning_rate'?"),
                yaml("unlike any", "frobnicate: 1\n",
                        "unknown key 'frobnicate', the known ones are model_name_or_path"),
                yaml("in dataset", "  paht: x\n", "line 8", "'dataset.paht', did you mean 'dataset.path'?"),
                yaml("not YAML", "seed: [1\n", "run.yaml, line ", "not YAML"),
                set("lora.lora_alhpa=1", "--set lora.lora_alhpa", "did you mean 'lora.lora_alpha'?"),
                set("learning_rate", "write key=value"),
                set("lora=5", "lora must be a section of keys, found 5"));
    }

    static Stream<Arguments> values() {
        return Stream.of(
                yaml("word for a number", "  max_samples: many\n",
                        "line 8: max_samples must be a whole number, found 'many'"),
                set("learning_rate=fast", "--set learning_rate", "must be a number, found 'fast'"),
                set("lr_scheduler_type=cosin", "unknown lr_scheduler_type 'cosin'; did you mean 'cosine'?"),
                set("optim=adamw_8bits", "--set optim", "unknown optim 'adamw_8bits'; did you mean 'adamw_8bit'?"),
                yaml("option of an optimizer", "optim: galore_adamw\noptim_args: rnk=4\n", "run.yaml, line 9",
                        "did you mean 'rank'?"),
                set("optim_args=rank", "--set optim_args", "optim_args must be name=value"),
                set("torch_dtype=int8", "--set torch_dtype", "'int8' is unknown"),
                set("lora.target_modules=[q_prj]", "target_modules", "did you mean 'q_proj'?"),
                set("lora.init_lora_weights=pisa", "--set lora.init_lora_weights", "pissa_niter_N"),
                set("lora={init_lora_weights: pissa, r: 65}", "r is 65, but init_lora_weights pissa takes at most 64"),
                set("lora={init_lora_weights: eva, r: 64}", "init_lora_weights eva needs batches of at least 64 tokens"),
                set("lora={init_lora_weights: orthogonal, r: 3}", "must be even"),
                set("lora.target_modules=xyz", "target_modules 'xyz' chooses no module", "q_proj"),
                set("lora.target_modules='(('", "--set lora.target_modules", "not a regular expression"),
                set("tokenizer_name_or_path=no-such-folder", "no-such-folder does not exist"));
    }

    static Stream<Arguments> folders() {
        return Stream.of(
                of("no configuration", p -> List.of("train", "no-such.yaml"), "no-such.yaml cannot be read"),
                of("no model", p -> p.set("model_name_or_path=no-such-model"),
                        "no-such-model/config.json does not exist"),
                of("output is a file", p -> p.set("output_dir=" + p.path("data.jsonl")), "output_dir",
                        "is a file; name a folder"),
                of("output holds a model", p -> p.set("output_dir=" + p.path("held")), "held holds a model",
                        "output_dir"),
                of("output is the model", p -> p.train("--set", "overwrite_output_dir=true", "--set",
                        "output_dir=" + p.path("model")), "the folder of the model itself"),
                of("no checkpoint", p -> p.train("--resume"), "has no checkpoint", "without --resume"),
                of("no such checkpoint", p -> p.train("--resume", p.path("checkpoint-7")),
                        "checkpoint-7 is no checkpoint"),
                of("dry run", p -> p.train("--dry-run", "--set", "output_dir=" + p.path("data.jsonl")), "is a file"));
    }

    private static Arguments adapter(String name, Change change, String... words) {
        return of(name, place -> {
            change.to(place);
            return place.merge(place.path("merged"));
        }, words);
    }

    static Stream<Arguments> adapters() {
        String tensor = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
        return Stream.of(
                adapter("none", p -> p.delete("adapter/adapter_config.json"), "adapter_config.json is missing",
                        "give the folder"),
                adapter("no weights", p -> p.delete("adapter/adapter_model.safetensors"),
                        "adapter_model.safetensors does not exist"),
                adapter("of another base", p -> p.header("adapter/adapter_model.safetensors", h ->
                        ((ObjectNode) h.get(tensor)).set("shape", Workplace.numbers(64, 4))), tensor,
                                "give the base model it was made for"),
                adapter("of other modules", p -> p.write("adapter/adapter_config.json",
                        "{\"peft_type\": \"LORA\", \"target_modules\": [\"query\"]}"), "adapter_config.json",
                                "'query'", "q_proj"),
                of("merged into a model", p -> p.merge(p.path("held")), "held is there already", "name a new folder"),
                of("merged into a file", p -> p.merge(p.path("run.yaml/x")), "run.yaml is a file"));
    }

    static Stream<Arguments> commands() {
        return Stream.of(
                of("long prompt", p -> p.generate("--prompt", "a 1 ".repeat(400)), "context of 256; shorten it"),
                of("empty stop", p -> p.prompt("--stop", ""), "--stop is empty"),
                of("expected without logits", p -> List.of("verify", "--model", p.path("model"), "--expected",
                        p.path("held/model.safetensors")), "held/model.safetensors has no tensor input_ids; it has"),
                of("expected without logits but ids", p -> {
                    p.header("held/model.safetensors", h ->
                            h.set("input_ids", ((ObjectNode) h.remove(EMBEDDING)).put("dtype", "I32")));
                    return List.of("verify", "--model", p.path("model"), "--expected",
                            p.path("held/model.safetensors"));
                }, "has no tensor logits; it has"));
    }

    static Stream<Arguments> quantization() {
        String nested = "bnb_4bit_use_double_quant";
        return Stream.of(
                yaml("both", "load_in_4bit: true\nload_in_8bit: true\n", "line 8",
                        "load_in_4bit and load_in_8bit exclude each other"),
                yaml("type without bits", "bnb_4bit_quant_type: nf4\n", "line 8",
                        "bnb_4bit_quant_type says how load_in_4bit quantizes"),
                yaml("type of 8 bits", "load_in_8bit: true\nbnb_4bit_quant_type: nf4\n", "line 9", "bnb_4bit_quant_type"),
                yaml("double without bits", nested + ": true\n", "line 8", nested + " says"),
                yaml("unknown type", "load_in_4bit: true\nbnb_4bit_quant_type: nf5\n", "line 9", "'nf5'; did you mean 'nf4'?"),
                yaml("compute dtype", "load_in_4bit: true\nbnb_4bit_compute_dtype: int8\n", "line 9",
                        "bnb_4bit_compute_dtype", "'int8'"),
                yaml("skip without bits", "llm_int8_skip_modules: [o_proj]\n", "line 8", "llm_int8_skip_modules",
                        "set load_in_4bit"),
                of("full finetuning", p -> {
                    p.write("run.yaml", Files.readString(p.path("run.yaml")).replace("lora:\n  r: 2\n", ""));
                    p.append("run.yaml", "load_in_4bit: true\nfull_finetuning: true\n");
                    return p.train();
                }, "line 6", "leave out full_finetuning"),
                yaml("mistyped", "load_in_4bits: true\n", "did you mean 'load_in_4bit'?"),
                yaml("unknown module", "load_in_4bit: true\nllm_int8_skip_modules: [q_prj]\n", "did you mean 'q_proj'?"),
                of("type without bits on the command line", p -> p.prompt("--bnb-4bit-quant-type", "nf4"), "set load_in_4bit"),
                of("both on the command line", p -> p.prompt("--load-in-4bit", "--load-in-8bit"), "exclude each other"),
                of("double int8", p -> List.of("quantize", "--model", p.path("model"), "--output", p.path("q"), "--type",
                        "int8", "--double-quant"), "--double-quant goes with --type nf4 and fp4"),
                of("type of quantize", p -> List.of("quantize", "--model", p.path("model"), "--output", p.path("q"),
                        "--type", "q4"),
                        "'--type'", "q4"),
                of("quantized into a model", p -> List.of("quantize", "--model", p.path("model"), "--output", p.path("held")),
                        "held is there already", "name a new folder"),
                of("dense base to requantize", p -> List.of("merge", "--model", p.path("model"), "--adapter", p.path("adapter"),
                        "--output", p.path("m"), "--requantize"), "is dense: leave out --requantize"),
                of("quantized again", p -> {
                    p.config("quantization_config", Map.of("quant_method", "bitsandbytes", "load_in_4bit", true));
                    return List.of("quantize", "--model", p.path("model"), "--output", p.path("q"));
                }, "is quantized already (fp4)", "take the model it was made from"),
                of("evaluated in fewer bits again", p -> {
                    p.config("quantization_config", Map.of("quant_method", "bitsandbytes", "load_in_4bit", true));
                    return List.of("eval", "quantization", "--model", p.path("model"), "--data", p.path("data.jsonl"));
                }, "is quantized already (fp4)"),
                of("evaluated on nothing", p -> List.of("eval", "quantization", "--model", p.path("model"), "--data",
                        p.path("no.jsonl")),
                        "no.jsonl"),
                of("quantized base to merge into", p -> {
                    p.config("quantization_config", Map.of("quant_method", "bitsandbytes", "load_in_8bit", true));
                    return p.merge(p.path("m"));
                }, "has int8 weights: say --dequantize", "--requantize"),
                model("dense weights said to be quantized", p -> p.config("quantization_config", Map.of("load_in_4bit", true)),
                        "model.safetensors lacks tensor", "quant_state.bitsandbytes__nf4", "llm_int8_skip_modules"),
                model("another method", p -> p.config("quantization_config", Map.of("quant_method", "awq")),
                        "quant_method 'awq'", "only those of bitsandbytes"));
    }
}
