package dev.gale.nn;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.tensor.InputException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Another rotary embedding than a model's config.json says, to extend its context: `{"type": "linear", "factor": 8.0}`. Base
/// and rotated share of a head stay the model's unless they are named.
///
/// @param values as in `rope_scaling` of a config.json
public record RopeScaling(Map<String, Object> values) {
    private static final List<String> KEPT = List.of("rope_theta", "partial_rotary_factor");
    private static final String TYPE = "rope_type";
    private static final String NEW = "rope_parameters";
    private static final String OLD = "rope_scaling";

    /// Throws: InputException when no type is named.
    public RopeScaling {
        Map<String, Object> ordered = new LinkedHashMap<>(values);
        Object type = ordered.remove("type");
        if (type != null) ordered.putIfAbsent(TYPE, type);
        if (!(ordered.get(TYPE) instanceof String)) {
            throw new InputException("rope_scaling must name a type, e.g. {type: linear, factor: 8.0}, found " + values);
        }
        values = Collections.unmodifiableMap(ordered);
    }

    /// Writes it into a config.json, in the spelling that is there.
    void applyTo(ObjectNode config) {
        ObjectNode given = new ObjectMapper().valueToTree(values);
        JsonNode parameters = config.path(NEW);
        if (!parameters.isObject()) {
            config.set(OLD, given);
            return;
        }
        JsonNode full = parameters.path("full_attention");
        ObjectNode target = (ObjectNode) (full.isObject() ? full : parameters);
        target.retain(KEPT);
        target.setAll(given);
    }

    /// Longest sequence of a model that was trained for so many tokens.
    int context(int trained) {
        return values.get("factor") instanceof Number factor && factor.doubleValue() > 1
                ? (int) Math.min(Integer.MAX_VALUE, Math.floor(trained * factor.doubleValue())) : trained;
    }
}
