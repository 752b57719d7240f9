package dev.gale.train.metric;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.AtomicFile;
import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The run's history and progress, in the layout of the Hugging Face Trainer's `trainer_state.json`; what only a resume
/// needs stands under `stateful_callbacks.gale`.
public final class TrainerState implements MetricSink {
    public static final String FILE = "trainer_state.json";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final List<Map<String, Object>> history = new ArrayList<>();
    private long globalStep;
    private double epoch;
    private long tokensSeen;
    private Double bestMetric;
    private long bestStep;
    private String bestCheckpoint;

    /// Reads the state that `save` wrote.
    /// Throws: InputException when the file is missing or is not such a state.
    public static TrainerState load(Path directory) {
        Path file = directory.resolve(FILE);
        try {
            ObjectNode root = (ObjectNode) JSON.readTree(Files.readAllBytes(file));
            TrainerState state = new TrainerState();
            state.globalStep = root.required("global_step").asLong();
            state.epoch = root.required("epoch").asDouble();
            state.tokensSeen = root.path("num_input_tokens_seen").asLong();
            state.bestMetric = root.path("best_metric").isNumber() ? root.path("best_metric").asDouble() : null;
            state.bestStep = root.path("best_global_step").asLong();
            state.bestCheckpoint = root.path("best_model_checkpoint").asText(null);
            for (var entry : root.withArray("log_history")) {
                @SuppressWarnings("unchecked")
                Map<String, Object> values = JSON.convertValue(entry, LinkedHashMap.class);
                state.history.add(values);
            }
            return state;
        } catch (IOException | ClassCastException | IllegalArgumentException e) {
            throw new InputException(file + " is missing or is not a trainer state: resume from another checkpoint", e);
        }
    }

    /// The part that only a resume needs.
    public static Map<String, Object> resumeState(Path directory) {
        Path file = directory.resolve(FILE);
        try {
            @SuppressWarnings("unchecked")
            Map<String, Object> state = JSON.convertValue(JSON.readTree(Files.readAllBytes(file))
                    .required("stateful_callbacks").required("gale"), LinkedHashMap.class);
            return state;
        } catch (IOException | IllegalArgumentException e) {
            throw new InputException(file + " was not written by gale and cannot be resumed: start a new run", e);
        }
    }

    public void save(Path directory, Map<String, Object> run, Map<String, Object> resume) throws IOException {
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("best_global_step", bestStep == 0 ? null : bestStep);
        root.put("best_metric", bestMetric);
        root.put("best_model_checkpoint", bestCheckpoint);
        root.put("epoch", epoch);
        root.put("global_step", globalStep);
        root.put("is_hyper_param_search", false);
        root.put("is_local_process_zero", true);
        root.put("is_world_process_zero", true);
        root.put("log_history", history);
        root.putAll(run);
        root.put("num_input_tokens_seen", tokensSeen);
        root.put("stateful_callbacks", Map.of("gale", resume));
        root.put("trial_name", null);
        root.put("trial_params", null);
        AtomicFile.write(directory.resolve(FILE), JSON.writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n");
    }

    @Override
    public void step(StepMetrics metrics) {
        globalStep = metrics.step();
        epoch = metrics.epoch();
        tokensSeen += metrics.tokens();
    }

    @Override
    public void log(Map<String, Object> entry) {
        history.add(new LinkedHashMap<>(entry));
    }

    /// Remembers a metric's best value so far. Returns true when this one is it.
    public boolean offerBest(double value, boolean greaterIsBetter, String checkpoint) {
        if (Double.isNaN(value)) return false;
        if (bestMetric != null && (greaterIsBetter ? value <= bestMetric : value >= bestMetric)) return false;
        bestMetric = value;
        bestStep = globalStep;
        bestCheckpoint = checkpoint;
        return true;
    }

    public long globalStep() {
        return globalStep;
    }

    public double epoch() {
        return epoch;
    }

    public long tokensSeen() {
        return tokensSeen;
    }

    public Double bestMetric() {
        return bestMetric;
    }

    public String bestCheckpoint() {
        return bestCheckpoint;
    }

    public List<Map<String, Object>> history() {
        return List.copyOf(history);
    }
}
