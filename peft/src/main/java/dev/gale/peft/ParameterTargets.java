package dev.gale.peft;

import dev.gale.nn.CausalLm;
import dev.gale.nn.Projection;
import dev.gale.tensor.InputException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What `target_parameters` chooses, by the names that parameters have in Transformers 5: matrices of projections, and the
/// experts of a layer, whose gates and ups are one parameter there and whose downs another.
/// Source: peft `tuners/tuners_utils.py` (`_inject_parameters`).
final class ParameterTargets {
    private static final Pattern EXPERT = Pattern.compile("(.*\\.experts)\\.\\d+\\.[^.]*");

    private final LoraConfig config;
    private final Map<String, String> matrices = new LinkedHashMap<>();            // name of the parameter by path
    private final List<Experts> experts = new ArrayList<>();

    /// The experts of a layer, of which one parameter is adapted, or both.
    ///
    /// @param path  of the module in Transformers 5, e.g. `model.layers.0.mlp.experts`
    /// @param gates paths of projections by expert, and so on
    record Experts(String path, List<String> gates, List<String> ups, List<String> downs, boolean gateUp, boolean down) {
        String gateUpName() {
            return path + ".gate_up_proj";
        }

        String downName() {
            return path + ".down_proj";
        }

        /// Paths of the projections that are adapted.
        List<String> adapted() {
            List<String> all = new ArrayList<>();
            if (gateUp) all.addAll(gates);
            if (gateUp) all.addAll(ups);
            if (down) all.addAll(downs);
            return all;
        }
    }

    /// Throws: InputException when a name fits no parameter that can be adapted.
    ParameterTargets(LoraConfig config, CausalLm model) {
        this.config = config;
        if (config.targetParameters().isEmpty()) return;
        Map<String, List<String>> layers = new LinkedHashMap<>();
        Set<String> known = new TreeSet<>();
        for (Projection projection : model.projections().values()) {
            String path = projection.path();
            Matcher expert = EXPERT.matcher(path);
            if (model.isExpert(path) && expert.matches()) {
                layers.computeIfAbsent(expert.group(1), p -> new ArrayList<>()).add(path);
                continue;
            }
            String name = inTransformers5(path) + ".weight";
            known.add(name);
            if (isTarget(name)) matrices.put(path, name);
        }
        layers.forEach((path, projections) -> addExperts(inTransformers5(path), projections, known));
        requireKnown(known);
    }

    /// @param projections gate, up and down of each expert in turn
    private void addExperts(String path, List<String> projections, Set<String> known) {
        List<List<String>> kinds = List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        for (int i = 0; i < projections.size(); i++) kinds.get(i % 3).add(projections.get(i));
        Experts all = new Experts(path, kinds.get(0), kinds.get(1), kinds.get(2), true, true);
        known.addAll(List.of(all.gateUpName(), all.downName()));
        boolean gateUp = isTarget(all.gateUpName());
        boolean down = isTarget(all.downName());
        if (gateUp || down) experts.add(new Experts(path, all.gates, all.ups, all.downs, gateUp, down));
    }

    private void requireKnown(Set<String> known) {
        for (String target : config.targetParameters()) {
            if (known.stream().anyMatch(name -> fits(name, target))) continue;
            Set<String> ends = new TreeSet<>();
            known.forEach(name -> ends.add(name.replaceFirst(".*\\.([^.]*\\.[^.]*)$", "$1")));
            throw InputException.unknown("parameter in target_parameters of the adapter", target, ends);
        }
    }

    private boolean isTarget(String name) {
        return config.targetParameters().stream().anyMatch(target -> fits(name, target));
    }

    private static boolean fits(String name, String target) {
        return name.equals(target) || name.endsWith("." + target);
    }

    /// A module's path there; Mixtral's files have another.
    static String inTransformers5(String path) {
        return path.replace(".block_sparse_moe.", ".mlp.");
    }

    /// Names of the parameters by the paths of their projections, without those of experts.
    Map<String, String> matrices() {
        return matrices;
    }

    List<Experts> experts() {
        return experts;
    }

    boolean isEmpty() {
        return matrices.isEmpty() && experts.isEmpty();
    }
}
