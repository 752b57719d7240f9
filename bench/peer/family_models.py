"""A small model of each family with random weights in bf16, with heads of the widths that real ones have: what
`gale bench parity --model` compares on devices.
  python family_models.py OUT [FAMILY ...]      needs torch, transformers
"""
import os
import sys

import torch
import transformers as T

BASE = dict(hidden_size=256, intermediate_size=512, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
            vocab_size=2048, max_position_embeddings=2048, bos_token_id=1, eos_token_id=2, pad_token_id=0)
MOE = dict(moe_intermediate_size=128, tie_word_embeddings=False)


def rope(kind="default", **parameters):
    return {"rope_parameters": dict(rope_type=kind, rope_theta=10000.0, **parameters)}


FAMILIES = {
    "llama": lambda: T.LlamaConfig(**BASE, **rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                                  original_max_position_embeddings=256)),
    "mistral": lambda: T.MistralConfig(**BASE, sliding_window=48, **rope()),
    "qwen2": lambda: T.Qwen2Config(**BASE, use_sliding_window=True, sliding_window=40, max_window_layers=1, **rope()),
    "qwen3": lambda: T.Qwen3Config(**BASE, head_dim=128, **rope()),
    "gemma": lambda: T.GemmaConfig(**{**BASE, "num_key_value_heads": 1}, head_dim=256, hidden_act="gelu_pytorch_tanh", **rope()),
    "gemma2": lambda: T.Gemma2Config(**BASE, head_dim=128, query_pre_attn_scalar=144, sliding_window=40,
                                     attn_logit_softcapping=50.0, final_logit_softcapping=30.0, **rope()),
    "gemma3": lambda: T.Gemma3TextConfig(**BASE, head_dim=128, query_pre_attn_scalar=128, sliding_window=40,
                                         layer_types=["sliding_attention", "sliding_attention", "full_attention"],
                                         rope_parameters={"full_attention": dict(rope_type="linear", factor=8.0, rope_theta=1e6),
                                                          "sliding_attention": dict(rope_type="default", rope_theta=10000.0)}),
    "phi": lambda: T.PhiConfig(**BASE, **rope(partial_rotary_factor=0.5)),
    "phi3": lambda: T.Phi3Config(**BASE, original_max_position_embeddings=64, sliding_window=100,
                                 **rope("longrope", partial_rotary_factor=0.75, original_max_position_embeddings=64,
                                        short_factor=[1.0 + i / 24 for i in range(24)],
                                        long_factor=[1.0 + i / 4 for i in range(24)])),
    "smollm3": lambda: T.SmolLM3Config(**BASE, no_rope_layers=[1, 0, 1], **rope()),
    "granite": lambda: T.GraniteConfig(**BASE, embedding_multiplier=12.0, attention_multiplier=0.02,
                                       residual_multiplier=0.22, logits_scaling=8.0, **rope()),
    "mixtral": lambda: T.MixtralConfig(**BASE, num_local_experts=4, num_experts_per_tok=2),
    "qwen2-moe": lambda: T.Qwen2MoeConfig(**BASE, **MOE, num_experts=8, num_experts_per_tok=3, norm_topk_prob=False,
                                          shared_expert_intermediate_size=256, decoder_sparse_step=1, mlp_only_layers=[0]),
    "qwen3-moe": lambda: T.Qwen3MoeConfig(**BASE, **MOE, head_dim=128, num_experts=8, num_experts_per_tok=2,
                                          norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[]),
    "deepseek": lambda: T.DeepseekV2Config(**{**BASE, "num_key_value_heads": 4}, **MOE, first_k_dense_replace=1,
                                           n_routed_experts=8, num_experts_per_tok=3, n_shared_experts=2, kv_lora_rank=64,
                                           q_lora_rank=None, qk_nope_head_dim=64, qk_rope_head_dim=32, v_head_dim=64,
                                           routed_scaling_factor=1.0,
                                           **rope("yarn", factor=4.0, original_max_position_embeddings=64, beta_fast=32,
                                                  beta_slow=1, mscale=0.707, mscale_all_dim=0.707)),
}

FAMILIES["mixtral-router"] = lambda: T.MixtralConfig(**BASE, num_local_experts=4, num_experts_per_tok=2, output_router_logits=True,
                                                     router_aux_loss_coef=0.1)
FAMILIES["gemma3-vision"] = lambda: T.Gemma3Config(
    text_config=dict(**BASE, head_dim=128, query_pre_attn_scalar=128, sliding_window=40,
                     layer_types=["sliding_attention", "sliding_attention", "full_attention"]),
    vision_config=dict(hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14),
    mm_tokens_per_image=4)

if __name__ == "__main__":
    for name in sys.argv[2:] or FAMILIES:
        torch.manual_seed(1)
        model = T.AutoModelForCausalLM.from_config(FAMILIES[name]()).to(torch.bfloat16)
        with torch.no_grad():
            for key, p in model.named_parameters():
                if p.dim() >= 2:
                    p.normal_(0, 0.06)
                elif not key.endswith("norm.weight"):
                    p.normal_(0, 0.02)
        model.save_pretrained(os.path.join(sys.argv[1], name))
        print(name, sum(p.numel() for p in model.parameters()), flush=True)
