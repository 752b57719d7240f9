package dev.gale.nn;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.HfConfig.Fields;
import dev.gale.tensor.ops.RouteSpec;
import java.util.List;
import java.util.stream.IntStream;

/// What config.json says of experts and of latent attention. Fields that are absent have the values that Transformers gives
/// them.
final class HfMixtures {
    private HfMixtures() {}

    private static RouteSpec route(Fields fields, int experts, int perToken, boolean normalize, double scale,
            int groups, int used) {
        if (perToken > experts || perToken > RouteSpec.MOST_PER_TOKEN) {
            throw fields.bad("num_experts_per_tok must be at most the %d experts and at most %d, got %d"
                    .formatted(experts, RouteSpec.MOST_PER_TOKEN, perToken));
        }
        if (used > groups || experts % groups != 0 || experts / groups * used < perToken) {
            throw fields.bad("%d experts for a token do not fit topk_group %d of n_group %d".formatted(perToken, used, groups));
        }
        return new RouteSpec(perToken, normalize, (float) scale, groups, used);
    }

    private static AuxLoss auxLoss(Fields fields) {
        double coef = fields.number("router_aux_loss_coef", 0.001);
        if (coef < 0) throw fields.bad("router_aux_loss_coef must be at least 0, got " + coef);
        return new AuxLoss(fields.flag("output_router_logits"), coef);
    }

    static Mixture mixtral(Fields fields) {
        int experts = fields.positive("num_local_experts", 8);
        RouteSpec route = route(fields, experts, fields.positive("num_experts_per_tok", 2), true, 1, 1, 1);
        return new Mixture(experts, fields.positive("intermediate_size"), route, 0, false, true, List.of(),
                auxLoss(fields));
    }

    /// @param shared whether there is an MLP beside the experts
    static Mixture qwen(Fields fields, int layers, boolean shared) {
        String count = fields.has("num_experts") ? "num_experts" : "num_local_experts";       // the second since Transformers 5
        int experts = fields.positive(count, shared ? 60 : 128);
        RouteSpec route = route(fields, experts, fields.positive("num_experts_per_tok", shared ? 4 : 8),
                fields.flag("norm_topk_prob"), 1, 1, 1);
        int step = fields.positive("decoder_sparse_step", 1);
        List<Integer> dense = fields.ints("mlp_only_layers");
        return new Mixture(experts, fields.positive("moe_intermediate_size", shared ? 1408 : 768), route,
                shared ? fields.positive("shared_expert_intermediate_size", 5632) : 0, shared, true,
                LayerKinds.unlessAll(true, IntStream.range(0, layers)
                        .mapToObj(layer -> (layer + 1) % step == 0 && !dense.contains(layer))), auxLoss(fields));
    }

    /// `norm_topk_prob` stands in these files, but Transformers has never read it.
    static Variant deepseek(Fields fields, int layers) {
        String method = fields.text("topk_method", "greedy");
        boolean grouped = method.equals("group_limited_greedy");
        if (!grouped && !method.equals("greedy")) {
            throw fields.bad("topk_method '%s' is unknown; known are greedy, group_limited_greedy".formatted(method));
        }
        int experts = fields.positive("n_routed_experts", 64);
        RouteSpec route = route(fields, experts, fields.positive("num_experts_per_tok"), false,
                fields.number("routed_scaling_factor", 1), grouped ? fields.positive("n_group") : 1,
                grouped ? fields.positive("topk_group") : 1);
        int width = fields.positive("moe_intermediate_size", 1407);
        int shared = fields.has("n_shared_experts") ? fields.whole("n_shared_experts") : 2;
        int first = fields.has("first_k_dense_replace") ? fields.whole("first_k_dense_replace") : 0;
        int every = fields.positive("moe_layer_freq", 1);
        Mixture mixture = new Mixture(experts, width, route, shared * width, false, false,
                LayerKinds.unlessAll(true, IntStream.range(0, layers).mapToObj(layer -> layer >= first && layer % every == 0)),
                null);
        return Variant.LLAMA.with(mixture).with(latent(fields));
    }

    static LatentAttention latent(Fields fields) {
        int queryRank = fields.has("q_lora_rank") ? fields.positive("q_lora_rank")
                : fields.json().has("q_lora_rank") ? 0 : 1536;
        LatentAttention latent = new LatentAttention(queryRank, fields.positive("kv_lora_rank", 512),
                fields.positive("qk_nope_head_dim", 128), fields.positive("qk_rope_head_dim", 64),
                fields.positive("v_head_dim", 128));
        if (latent.valueDim() > latent.headDim()) {
            throw fields.bad("v_head_dim %d is larger than qk_nope_head_dim + qk_rope_head_dim".formatted(latent.valueDim()));
        }
        return latent;
    }

    /// What yarn makes of the factor on scores: `(0.1 mscale_all_dim log(factor) + 1)^2 / sqrt(K)`.
    static double attentionScale(RopeConfig rope, int headDim) {
        double magnitude = rope.mscaleAllDim() == 0 || rope.factor() <= 1 ? 1
                : 0.1 * rope.mscaleAllDim() * Math.log(rope.factor()) + 1;
        return magnitude * magnitude / Math.sqrt(headDim);
    }

    /// Writes what the others read.
    static void write(ObjectNode json, Family family, ModelConfig config) {
        Mixture mixture = config.variant().mixture();
        RouteSpec route = mixture.route();
        json.put("num_experts_per_tok", route.perToken());
        if (mixture.auxLoss() != null) {
            json.put("output_router_logits", mixture.auxLoss().enabled()).put("router_aux_loss_coef", mixture.auxLoss().coef());
        }
        if (family == Family.MIXTRAL) {
            json.put("num_local_experts", mixture.numExperts());
            return;
        }
        json.put("moe_intermediate_size", mixture.width());
        List<Integer> dense = IntStream.range(0, config.numLayers()).filter(layer -> !mixture.isSparse(layer)).boxed().toList();
        if (family != Family.DEEPSEEK_V2) {
            json.put("num_experts", mixture.numExperts()).put("norm_topk_prob", route.normalize());
            if (mixture.sharedWidth() > 0) json.put("shared_expert_intermediate_size", mixture.sharedWidth());
            if (family == Family.QWEN2_MOE) json.put("qkv_bias", config.attentionBias());
            dense.forEach(json.putArray("mlp_only_layers")::add);
            return;
        }
        json.put("n_routed_experts", mixture.numExperts()).put("n_shared_experts", mixture.sharedWidth() / mixture.width());
        json.put("routed_scaling_factor", route.scale()).put("first_k_dense_replace", dense.size());
        if (route.groups() > 1) {
            json.put("topk_method", "group_limited_greedy").put("n_group", route.groups())
                    .put("topk_group", route.groupsPerToken());
        }
        LatentAttention latent = config.variant().latent();
        if (latent.queryRank() > 0) json.put("q_lora_rank", latent.queryRank());
        else json.putNull("q_lora_rank");
        json.put("kv_lora_rank", latent.rank()).put("qk_nope_head_dim", latent.plainDim());
        json.put("qk_rope_head_dim", latent.ropeDim()).put("v_head_dim", latent.valueDim());
    }
}
