package dev.gale.peft;

import dev.gale.nn.CausalLm;
import dev.gale.nn.ModelInput;
import dev.gale.nn.Projection;
import dev.gale.nn.WrappedProjection;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.TensorOps;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Explained variance adaptation: A begins with the principal components of what goes into a layer, and the layers whose
/// components explain more of it get higher ranks, the sum of ranks staying the same.
///
/// Batches are gone through, again and again, until the components that are needed have settled. Projections that read the
/// same tensor share one decomposition.
/// Source: Paischer et al. 2024, arXiv 2410.07170; peft `tuners/lora/eva.py`.
final class Eva implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Eva.class.getName());
    private static final int MOST_PASSES = 50;

    private final CausalLm model;
    private final LoraConfig config;
    private final List<String> paths;
    private final TensorOps host = new CpuOps();
    private final Map<String, String> readers = new LinkedHashMap<>();         // path to the first that reads the same
    private final Map<String, Integer> most = new HashMap<>();                 // components by first reader
    private final Map<String, IncrementalPca> pcas = new LinkedHashMap<>();    // by first reader
    private Map<String, Integer> ranks = new HashMap<>();

    /// What was found.
    ///
    /// @param config with a rank, and perhaps an alpha, for each module; modules of rank 0 are no targets any more
    /// @param starts A by path, `[rank, in]`
    record Found(LoraConfig config, Map<String, float[]> starts) {}

    private Eva(CausalLm model, LoraConfig config, List<String> paths) {
        this.model = model;
        this.config = config;
        this.paths = paths;
    }

    /// @param paths   of the modules to adapt
    /// @param batches at least one; those with fewer counting tokens than a module's highest rank are passed over
    /// Throws: InputException when no batch has enough tokens.
    static Found find(CausalLm model, LoraConfig config, List<String> paths, Iterable<CalibrationBatch> batches) {
        try (Eva eva = new Eva(model, config, paths)) {
            return eva.find(batches);
        }
    }

    /// Looks at what goes into a projection.
    @FunctionalInterface
    private interface Listener {
        void hear(String path, Tensor x, TensorOps ops);
    }

    /// A projection that lets a listener look at its input.
    private record Watched(Projection base, Listener listener) implements WrappedProjection {
        @Override
        public Tensor forward(Tape tape, Tensor x, Tensor residual, ModelInput in) {
            listener.hear(base.path(), x, tape.ops());
            return base.forward(tape, x, residual, in);
        }
    }

    private Found find(Iterable<CalibrationBatch> batches) {
        boolean grouped = false;
        for (int pass = 0; pass < MOST_PASSES; pass++) {
            boolean taken = false;
            for (CalibrationBatch batch : batches) {
                if (!grouped) group(batch);
                grouped = true;
                List<String> unsettled = pcas.keySet().stream().filter(path -> !pcas.get(path).isSettled(ranks.get(path)))
                        .toList();
                if (unsettled.isEmpty()) return found();
                taken |= look(batch, unsettled);
                if (pcas.values().stream().allMatch(IncrementalPca::hasComponents)) distribute();
            }
            if (!taken) break;
        }
        if (pcas.isEmpty() || !pcas.values().stream().allMatch(IncrementalPca::hasComponents)) {
            int needed = most.values().stream().mapToInt(Integer::intValue).max().orElse(0);
            throw new InputException(("LoRA: init_lora_weights eva needs batches of at least %d tokens that count; raise the "
                    + "batch size, or lower r or rho, or set use_label_mask: false in eva_config").formatted(needed));
        }
        LOG.log(System.Logger.Level.WARNING, "the components of eva have not settled after {0} passes", MOST_PASSES);
        return found();
    }

    /// Finds out who reads the same, and starts the decompositions.
    private void group(CalibrationBatch batch) {
        Map<Tensor, String> first = new IdentityHashMap<>();
        run(batch, paths, (path, x, ops) -> {
            first.putIfAbsent(x, path);
            readers.put(path, first.get(x));
        });
        for (String path : paths) {
            int components = (int) Math.rint(config.rankOf(path) * config.evaConfig().rho());
            most.merge(readers.get(path), components, Math::max);
        }
        most.replaceAll((path, components) -> Math.min(components, inFeatures(path)));
        most.forEach((path, components) -> pcas.put(path, new IncrementalPca(host, components, inFeatures(path))));
        ranks = new HashMap<>(most);
    }

    private int inFeatures(String path) {
        return model.projections().get(path).inFeatures();
    }

    /// Returns: whether the batch was large enough for one of them.
    private boolean look(CalibrationBatch batch, List<String> unsettled) {
        boolean[] taken = new boolean[1];
        run(batch, unsettled, (path, x, ops) -> {
            float[] all = ops.toFloats(x);
            int cols = x.cols();
            int count = 0;
            for (int row = 0; row < batch.used().length; row++) {
                if (!batch.used()[row]) continue;
                System.arraycopy(all, row * cols, all, count * cols, cols);
                count++;
            }
            taken[0] |= pcas.get(path).add(all, count, config.evaConfig().tau());
        });
        return taken[0];
    }

    private void run(CalibrationBatch batch, List<String> watched, Listener listener) {
        ModelInput in = ModelInput.of(model.ops(), batch.ids(), batch.positions(), batch.start(), batch.stop());
        watched.forEach(path -> model.replace(path, base -> new Watched(base, listener)));
        try (Tape tape = Tape.inference(model.ops())) {
            model.hidden(tape, in, Checkpointing.NONE);
        } finally {
            watched.forEach(path -> model.replace(path, projection -> ((Watched) projection).base()));
            in.release(model.ops());
        }
    }

    private record Component(String path, double explained) {}

    /// The components that explain most, as many as there are ranks in all. The first reader of a tensor gets the highest rank
    /// of those who read it, so that its components are waited for.
    private void distribute() {
        List<Component> all = new ArrayList<>();
        for (String path : paths) {
            IncrementalPca pca = pcas.get(readers.get(path));
            for (int i = 0; i < most.get(readers.get(path)); i++) all.add(new Component(path, pca.explained(i)));
        }
        all.sort(Comparator.comparingDouble(Component::explained).reversed());
        int budget = paths.stream().mapToInt(config::rankOf).sum();
        Map<String, Integer> counts = new HashMap<>();
        paths.forEach(path -> counts.put(path, 0));
        all.stream().limit(budget).forEach(component -> counts.merge(component.path(), 1, Integer::sum));
        readers.forEach((path, reader) -> {
            int rank = counts.get(path);
            if (rank <= counts.get(reader)) return;
            counts.put(path, counts.get(reader));
            counts.put(reader, rank);
        });
        ranks = counts;
    }

    private Found found() {
        Map<String, float[]> starts = new LinkedHashMap<>();
        Map<String, Integer> rankPattern = new LinkedHashMap<>();
        Map<String, Double> alphaPattern = new LinkedHashMap<>();
        for (String path : paths) {
            int rank = ranks.get(path);
            if (rank == 0) continue;
            starts.put(path, pcas.get(readers.get(path)).components(rank, config.evaConfig().whiten()));
            double alpha = config.alphaOf(path);
            if (config.evaConfig().adjustScalingFactors()) alpha *= (double) rank / config.rankOf(path);
            if (rank != config.r()) rankPattern.put(path, rank);
            if (alpha != config.loraAlpha()) alphaPattern.put(path, alpha);
        }
        LoraConfigBuilder found = config.toBuilder().rankPattern(rankPattern).alphaPattern(alphaPattern);
        if (starts.size() < paths.size()) {
            found.targetModules(starts.keySet().toArray(String[]::new)).layersToTransform(List.of()).layersPattern(List.of());
        }
        return new Found(found.build(), starts);
    }

    @Override
    public void close() {
        host.close();
    }
}
