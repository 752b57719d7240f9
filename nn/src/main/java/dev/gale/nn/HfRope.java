package dev.gale.nn;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.HfConfig.Fields;
import dev.gale.nn.RopeConfig.Type;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/// The rotary part of config.json, in its new spelling (`rope_parameters` holds everything) and its old one
/// (`rope_theta` beside `rope_scaling`, whose `type` may be called `rope_type`).
final class HfRope {
    private static final String FULL = "full_attention";

    private HfRope() {}

    static RopeConfig parse(Fields model, int headDim, int maxSeqLen, Family family) {
        JsonNode node = model.has("rope_parameters") ? model.json().get("rope_parameters")
                : model.json().path("rope_scaling");
        if (node.path(FULL).isObject()) node = node.get(FULL);
        if (!(node.isObject() || node.isNull() || node.isMissingNode())) {
            throw model.bad("rope_scaling must be an object or null, got " + node);
        }
        Fields rope = new Fields(model.place(), node);
        Type type = type(rope);
        double theta = rope.number("rope_theta", model.number("rope_theta", HfFamilies.theta(family)));
        double partial = rope.number("partial_rotary_factor",
                model.number("partial_rotary_factor", HfFamilies.partialRotaryFactor(family)));
        if (!(theta > 0)) throw model.bad("rope_theta must be positive, got " + theta);
        if (!(partial > 0 && partial <= 1)) throw model.bad("partial_rotary_factor must be in (0, 1], got " + partial);
        boolean needsFactor = type == Type.LINEAR || type == Type.DYNAMIC || type == Type.LLAMA3;
        double factor = needsFactor ? rope.number("factor") : rope.number("factor", 0);
        if (needsFactor && !(factor > 0)) throw model.bad("the rope factor must be positive, got " + factor);
        boolean stretched = type == Type.LLAMA3 || type == Type.YARN || type == Type.LONGROPE;
        int original = !stretched ? 0 : model.positive("original_max_position_embeddings",
                rope.positive("original_max_position_embeddings", maxSeqLen));
        boolean llama3 = type == Type.LLAMA3;
        int half = (int) (headDim * partial) / 2;
        return new RopeConfig(type, theta, partial, factor, original,
                llama3 ? rope.number("low_freq_factor") : 0, llama3 ? rope.number("high_freq_factor") : 0,
                rope.number("attention_factor", 0), orDefault(rope.number("beta_fast", 0), 32),
                orDefault(rope.number("beta_slow", 0), 1), rope.number("mscale", 0), rope.number("mscale_all_dim", 0),
                !rope.has("truncate") || rope.flag("truncate"),
                type == Type.LONGROPE ? factors(rope, "short_factor", half) : List.of(),
                type == Type.LONGROPE ? factors(rope, "long_factor", half) : List.of());
    }

    /// The plain embedding of layers with a sliding window, Gemma 3's.
    static RopeConfig sliding(Fields model) {
        JsonNode node = model.json().path("rope_parameters").path("sliding_attention");
        Fields rope = new Fields(model.place(), node);
        if (type(rope) != Type.DEFAULT) throw model.bad("the rope_type of sliding_attention must be default");
        return RopeConfig.plain(rope.number("rope_theta", model.number("rope_local_base_freq", 10_000)));
    }

    /// Phi-3's first files say su, or yarn with lists of factors, where they mean longrope.
    private static Type type(Fields rope) {
        String name = rope.text("rope_type", rope.text("type", "default"));
        if (name.equals("su") || name.equals("yarn") && rope.has("short_factor")) return Type.LONGROPE;
        return Arrays.stream(Type.values()).filter(type -> spelled(type).equals(name)).findFirst()
                .orElseThrow(() -> rope.bad("rope_type '%s' is unknown; known are %s".formatted(name,
                        Arrays.stream(Type.values()).map(HfRope::spelled).collect(Collectors.joining(", ")))));
    }

    private static String spelled(Type type) {
        return type.name().toLowerCase(Locale.ROOT);
    }

    private static double orDefault(double value, double otherwise) {
        return value == 0 ? otherwise : value;
    }

    private static List<Double> factors(Fields rope, String name, int count) {
        List<Double> factors = rope.numbers(name);
        if (factors.size() != count) {
            throw rope.bad("%s needs %d numbers, one per rotated pair, but has %d"
                    .formatted(name, count, factors.size()));
        }
        return factors;
    }

    static void write(ObjectNode json, RopeConfig rope) {
        json.put("rope_theta", rope.theta());
        if (rope.partialRotaryFactor() != 1) json.put("partial_rotary_factor", rope.partialRotaryFactor());
        if (rope.type() == Type.DEFAULT) return;
        ObjectNode scaling = json.putObject("rope_scaling").put("rope_type", spelled(rope.type()));
        if (rope.factor() != 0) scaling.put("factor", rope.factor());
        if (rope.type() == Type.LINEAR || rope.type() == Type.DYNAMIC) return;
        scaling.put("original_max_position_embeddings", rope.originalMaxPositionEmbeddings());
        if (rope.type() == Type.LLAMA3) {
            scaling.put("low_freq_factor", rope.lowFreqFactor()).put("high_freq_factor", rope.highFreqFactor());
            return;
        }
        if (rope.attentionFactor() != 0) scaling.put("attention_factor", rope.attentionFactor());
        if (rope.type() == Type.LONGROPE) {
            rope.shortFactor().forEach(scaling.putArray("short_factor")::add);
            rope.longFactor().forEach(scaling.putArray("long_factor")::add);
            return;
        }
        scaling.put("beta_fast", rope.betaFast()).put("beta_slow", rope.betaSlow()).put("truncate", rope.truncate());
        if (rope.mscale() != 0) scaling.put("mscale", rope.mscale());
        if (rope.mscaleAllDim() != 0) scaling.put("mscale_all_dim", rope.mscaleAllDim());
    }
}
