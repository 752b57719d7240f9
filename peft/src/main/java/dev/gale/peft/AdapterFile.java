package dev.gale.peft;

import dev.gale.nn.safetensors.Safetensors;
import dev.gale.nn.safetensors.SafetensorsWriter;
import dev.gale.tensor.Convert;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/// The files of an adapter folder, and the names that PEFT gives to tensors in it.
/// Source: peft `utils/save_and_load.py`.
final class AdapterFile {
    static final String CONFIG = "adapter_config.json";
    static final String WEIGHTS = "adapter_model.safetensors";
    private static final String PREFIX = "base_model.model.";
    private static final System.Logger LOG = System.getLogger(PeftModel.class.getName());

    private AdapterFile() {}

    /// Name in the file of a parameter of model or adapter.
    static String name(String parameter) {
        return PREFIX + parameter;
    }

    /// Name in the file of a parameter of an adapted module, whose layer PEFT wraps.
    static String wrapped(String parameter) {
        int last = parameter.lastIndexOf('.');
        return PREFIX + parameter.substring(0, last) + ".base_layer" + parameter.substring(last);
    }

    static Safetensors open(Path dir) {
        Path file = dir.resolve(WEIGHTS);
        if (!Files.exists(file) && Files.exists(dir.resolve("adapter_model.bin"))) {
            throw new InputException("%s has adapter_model.bin but no %s; save it again with a current PEFT"
                    .formatted(dir, WEIGHTS));
        }
        return Safetensors.open(file);
    }

    static void write(Path dir, LoraConfig config, Map<String, Tensor> tensors, TensorOps ops) {
        new SafetensorsWriter(ops, null).write(dir.resolve(WEIGHTS), tensors);
        config.write(dir.resolve(CONFIG));
    }

    /// Fills tensors of an adapter from a file, by their names in it. Every tensor on both sides must have its match, but for
    /// modules of which the file has nothing: they stay as they began, which changes nothing, and a warning says so, as with
    /// PEFT.
    ///
    /// @param repeated names of tensors that may be there, too, and say nothing new
    /// @param known    shapes of the base's parameters, by their names in a file, to tell a wrong shape from a stranger
    /// Throws: InputException naming file, tensor and what is wrong: missing, left over, another shape, NaN, infinite.
    static void read(Safetensors file, Map<String, Tensor> own, Set<String> repeated, Map<String, Shape> known,
                     LoraConfig config, TensorOps ops) {
        Set<String> strangers = new HashSet<>(file.names());
        strangers.removeAll(repeated);
        Set<String> untrained = untrained(file, own.keySet(), config);
        own.forEach((name, tensor) -> {
            if (untrained.contains(module(name))) return;
            String stored = stored(file, name, tensor);
            strangers.remove(stored);
            requireShape(file, stored, tensor.shape(), config);
        });
        for (String name : file.names()) {
            if (!strangers.contains(name)) continue;
            if (known.containsKey(name)) requireShape(file, name, known.get(name), config);
            throw new InputException("%s: tensor %s %s has no place in this model as %s describes it; %s"
                    .formatted(file.file(), name, file.shape(name), CONFIG, madeFor(config)));
        }
        own.forEach((name, tensor) -> {
            if (!untrained.contains(module(name))) copy(file, stored(file, name, tensor), tensor, ops);
        });
    }

    /// The module of a low-rank tensor; another tensor itself.
    private static String module(String name) {
        int at = name.indexOf(".lora_");
        return at < 0 ? name : name.substring(0, at);
    }

    /// Modules without any tensor in a file that has those of others.
    private static Set<String> untrained(Safetensors file, Set<String> own, LoraConfig config) {
        if (config.initLoraWeights().method() == InitLoraWeights.Method.RANDOM) return Set.of();      // would change the model
        Set<String> present = new HashSet<>();
        for (String name : own) if (file.has(name)) present.add(module(name));
        Set<String> missing = new LinkedHashSet<>();
        for (String name : own) if (name.contains(".lora_") && !present.contains(module(name))) missing.add(module(name));
        boolean some = own.stream().anyMatch(name -> name.contains(".lora_") && present.contains(module(name)));
        if (missing.isEmpty() || !some) return Set.of();
        String names = String.join(", ", missing.stream().map(name -> name.replace(PREFIX, "")).toList());
        LOG.log(System.Logger.Level.WARNING, "{0} has nothing for {1} adapted modules, which stay as the base has them: {2}",
                file.file(), missing.size(), names);
        return missing;
    }

    /// Releases of PEFT before 0.6 did not wrap the layer, and so had shorter names.
    private static String stored(Safetensors file, String name, Tensor own) {
        if (file.has(name)) return name;
        String shorter = name.replace(".base_layer.", ".");
        if (!name.contains(".lora_") && file.has(shorter)) return shorter;
        throw new InputException("%s lacks tensor %s of shape %s, which %s asks for; save the adapter again"
                .formatted(file.file(), name, own.shape(), CONFIG));
    }

    private static void requireShape(Safetensors file, String name, Shape needed, LoraConfig config) {
        if (file.shape(name).equals(needed)) return;
        throw new InputException("%s: tensor %s has shape %s, but this model needs %s; %s"
                .formatted(file.file(), name, file.shape(name), needed, madeFor(config)));
    }

    private static String madeFor(LoraConfig config) {
        String base = config.baseModelNameOrPath();
        return "give the base model it was made for" + (base == null || base.isEmpty() ? "" : ", " + base);
    }

    /// Fills one tensor, which is in host memory or where ops compute.
    /// Throws: InputException when the file's is no floating one, or has NaN or infinite values.
    static void copy(Safetensors file, String name, Tensor own, TensorOps ops) {
        Tensor stored = file.tensor(name);
        if (!stored.dtype().floating()) {
            throw new InputException("%s: tensor %s holds %s instead of floating numbers; save the adapter again"
                    .formatted(file.file(), name, stored.dtype()));
        }
        for (long i = 0; i < stored.size(); i++) {
            float value = Convert.get(stored.segment(), stored.dtype(), i);
            if (Float.isFinite(value)) {
                if (own.storage() instanceof Storage.Host) Convert.set(own.segment(), own.dtype(), i, value);
                continue;
            }
            throw new InputException("%s: element %d of tensor %s is %s; this adapter is broken, train it again"
                    .formatted(file.file(), i, name, Float.isNaN(value) ? "NaN" : "infinite"));
        }
        if (own.storage() instanceof Storage.Host) return;
        Tensor placed = ops.place(stored);
        ops.copy(own, placed);
        if (placed != stored) ops.release(placed);
    }
}
