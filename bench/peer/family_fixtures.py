"""Small golden models of each family: Transformers' logits, loss and greedy tokens, PEFT's adapters, gradients and AdamW steps.

Writes OUT/nn/FAMILY and OUT/peft/FAMILY as the tests of these modules have them in src/test/resources/fixtures.
  python family_fixtures.py OUT [FAMILY ...]      needs torch, transformers 5, peft, safetensors; F32 on the CPU
Families whose experts are adapted need transformers 4, where each projection of an expert is a module of its own: those of EXPERTS.
"""
import json
import os
import sys

import torch
import torch.nn.functional as F
import transformers as T
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

WIDTH, VOCAB, SEED = 24, 64, 11
SEEDS = {"gemma3-vision": 12}          # with 11 a gradient passes through 0, where AdamW's direction is chance
BASE = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            vocab_size=VOCAB, max_position_embeddings=64, attn_implementation="eager", use_cache=True, bos_token_id=1,
            eos_token_id=2, pad_token_id=0)
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def rope(**parameters):
    return {"rope_parameters": parameters}


PLAIN = rope(rope_type="default", rope_theta=10000.0)
FAMILIES = {
    "llama-dynamic": lambda: (T.LlamaConfig(**{**BASE, "max_position_embeddings": 20}, tie_word_embeddings=False,
                                            **rope(rope_type="dynamic", rope_theta=10000.0, factor=2.0)), T.LlamaForCausalLM, ALL),
    "mistral": lambda: (T.MistralConfig(**BASE, sliding_window=6, head_dim=12, tie_word_embeddings=False, **PLAIN),
                        T.MistralForCausalLM, ALL),
    "qwen2": lambda: (T.Qwen2Config(**BASE, tie_word_embeddings=True, use_sliding_window=True, sliding_window=7,
                                    max_window_layers=1, **PLAIN), T.Qwen2ForCausalLM, ALL),
    "qwen3": lambda: (T.Qwen3Config(**BASE, head_dim=16, tie_word_embeddings=True, **PLAIN), T.Qwen3ForCausalLM, ALL),
    "gemma": lambda: (T.GemmaConfig(**BASE, head_dim=12, tie_word_embeddings=True, hidden_act="gelu_pytorch_tanh", **PLAIN),
                      T.GemmaForCausalLM, ALL),
    "gemma2": lambda: (T.Gemma2Config(**BASE, head_dim=12, query_pre_attn_scalar=9, sliding_window=6,
                                      attn_logit_softcapping=2.0, final_logit_softcapping=3.0, **PLAIN),
                       T.Gemma2ForCausalLM, ALL),
    "gemma3": lambda: (T.Gemma3TextConfig(**{**BASE, "num_hidden_layers": 3}, head_dim=8, query_pre_attn_scalar=8,
                                          sliding_window=6, layer_types=["sliding_attention", "sliding_attention", "full_attention"],
                                          rope_parameters={"full_attention": dict(rope_type="linear", factor=8.0, rope_theta=1e6),
                                                           "sliding_attention": dict(rope_type="default", rope_theta=10000.0)}),
                       T.Gemma3ForCausalLM, ALL),
    "phi": lambda: (T.PhiConfig(**BASE, tie_word_embeddings=False,
                                **rope(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5)),
                    T.PhiForCausalLM, ["q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"]),
    "phi-norms": lambda: (T.PhiConfig(**BASE, tie_word_embeddings=False, qk_layernorm=True,
                                      **rope(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5)),
                          T.PhiForCausalLM, ["q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"]),
    "phi3": lambda: (T.Phi3Config(**{**BASE, "num_attention_heads": 2, "num_key_value_heads": 1}, tie_word_embeddings=False,
                                  original_max_position_embeddings=16, sliding_window=9,
                                  **rope(rope_type="longrope", rope_theta=10000.0, partial_rotary_factor=0.75,
                                         original_max_position_embeddings=16, short_factor=[1.0, 1.1, 1.2, 1.3, 1.4, 1.5],
                                         long_factor=[1.0, 1.5, 2.0, 3.0, 4.5, 6.0])),
                     T.Phi3ForCausalLM, ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]),
    "smollm3": lambda: (T.SmolLM3Config(**BASE, no_rope_layers=[1, 0], tie_word_embeddings=True, **PLAIN),
                        T.SmolLM3ForCausalLM, ALL),
    "granite": lambda: (T.GraniteConfig(**BASE, tie_word_embeddings=True, embedding_multiplier=3.0, attention_multiplier=0.2,
                                        residual_multiplier=0.4, logits_scaling=2.5, **PLAIN), T.GraniteForCausalLM, ALL),
}
DEEPSEEK = dict(first_k_dense_replace=1, n_routed_experts=6, num_experts_per_tok=3, n_shared_experts=2, moe_intermediate_size=16,
                kv_lora_rank=12, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=6, tie_word_embeddings=False)
FAMILIES["deepseek-yarn"] = lambda: (
    T.DeepseekV2Config(**{**BASE, "num_key_value_heads": 4}, **DEEPSEEK, q_lora_rank=None, routed_scaling_factor=1.0,
                       **rope(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16,
                              beta_fast=32, beta_slow=1, mscale=0.8, mscale_all_dim=0.6)),
    T.DeepseekV2ForCausalLM, ["q_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"])
EXPERTS = {
    "mixtral": lambda: (T.MixtralConfig(**BASE, num_local_experts=4, num_experts_per_tok=2, tie_word_embeddings=False,
                                        sliding_window=None), T.MixtralForCausalLM,
                        ["q_proj", "k_proj", "v_proj", "o_proj", "gate", "w1", "w2", "w3"]),
    "qwen2-moe": lambda: (T.Qwen2MoeConfig(**BASE, num_experts=6, num_experts_per_tok=3, moe_intermediate_size=16,
                                           shared_expert_intermediate_size=24, norm_topk_prob=False, decoder_sparse_step=1,
                                           mlp_only_layers=[0], tie_word_embeddings=False),
                          T.Qwen2MoeForCausalLM, ALL + ["gate", "shared_expert_gate"]),
    "qwen3-moe": lambda: (T.Qwen3MoeConfig(**BASE, head_dim=12, num_experts=5, num_experts_per_tok=2, moe_intermediate_size=16,
                                           norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[],
                                           tie_word_embeddings=True), T.Qwen3MoeForCausalLM, ALL),
    "deepseek": lambda: (T.DeepseekV2Config(**{**BASE, "num_key_value_heads": 4}, **DEEPSEEK, q_lora_rank=10, n_group=3,
                                            topk_group=2, topk_method="group_limited_greedy", routed_scaling_factor=1.6),
                         T.DeepseekV2ForCausalLM,
                         ["q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]),
}
SIGHT = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
PART = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
FAMILIES["gemma3-vision"] = lambda: (
    T.Gemma3Config(text_config=dict(**{**BASE, "num_hidden_layers": 3}, head_dim=8, query_pre_attn_scalar=8, sliding_window=6,
                                    layer_types=["sliding_attention", "sliding_attention", "full_attention"]),
                   vision_config=SIGHT, mm_tokens_per_image=4, image_token_index=VOCAB - 1, boi_token_index=1, eoi_token_index=2),
    T.Gemma3ForConditionalGeneration, PART)
FAMILIES["mistral3-vision"] = lambda: (
    T.Mistral3Config(text_config=dict(model_type="mistral", **BASE, head_dim=12, sliding_window=None, tie_word_embeddings=False, **PLAIN),
                     vision_config=dict(model_type="pixtral", head_dim=8, **SIGHT), image_token_index=VOCAB - 1),
    T.Mistral3ForConditionalGeneration, PART)
ROUTED, AUX_COEF = ["mixtral", "qwen2-moe", "qwen3-moe"], 0.3          # families with a router's loss, and its factor in tests
if T.__version__.startswith("4."):
    FAMILIES = EXPERTS


def loss_of(logits, labels):
    return F.cross_entropy(logits[:, :-1].reshape(-1, logits.size(-1)).float(), labels[:, 1:].reshape(-1), ignore_index=-100)


def step_loss(model, ids, mask, labels):
    """The loss as Transformers adds it up, the router's if the model has one, and the logits."""
    out = model(input_ids=ids, attention_mask=mask)
    aux = getattr(out, "aux_loss", None)
    loss = loss_of(out.logits, labels)
    return loss if aux is None else loss + model.config.router_aux_loss_coef * aux, aux, out.logits


def weights(model):
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() >= 2:
                p.normal_(0, 0.15)
            elif "norm" in name and not name.endswith("bias"):
                p.copy_(p + 0.2 * torch.randn_like(p))
            else:
                p.normal_(0, 0.1)


def save(folder, name, tensors):
    save_file({key: value.contiguous() for key, value in tensors.items()}, os.path.join(folder, name))


def lora(base, out, targets, batch, **extra):
    """The adapter folder, and its numbers."""
    ids, mask, labels = batch
    model = get_peft_model(base, LoraConfig(r=2, lora_alpha=4, target_modules=targets, lora_dropout=0.0, task_type="CAUSAL_LM", **extra))
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.normal_(0, 0.1)
            if "trainable_tokens_delta" in name:
                p.add_(0.1 * torch.randn_like(p))
    model.save_pretrained(out)
    os.remove(os.path.join(out, "README.md"))
    path = os.path.join(out, "adapter_config.json")
    with open(path) as file:
        config = json.load(file)
    config["base_model_name_or_path"] = "fixtures/" + os.path.basename(os.path.dirname(out))
    with open(path, "w") as file:
        json.dump(config, file, indent=2)
    model.train()
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    loss, aux, logits = step_loss(model, ids, mask, labels)
    loss.backward()
    tensors = {"input_ids": ids, "attention_mask": mask, "labels": labels, "logits": logits.detach()}
    tensors |= {"grad." + name: p.grad.clone() for name, p in trained.items()}
    steps = []
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    for _ in range(5):
        optimizer.zero_grad()
        now, _, _ = step_loss(model, ids, mask, labels)
        now.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
        steps.append([float(now), float(norm)])
    tensors |= {"after5." + name: p.detach().clone() for name, p in trained.items()}
    with torch.no_grad():
        if not extra.get("lora_bias"):                 # which PEFT merges into biases alone
            tensors["merged_logits"] = model.merge_and_unload()(input_ids=ids, attention_mask=mask).logits
    save(out, "expected.safetensors", tensors)
    router = {} if aux is None else {"aux_loss": float(aux), "router_aux_loss_coef": AUX_COEF}
    return {"loss": float(loss), **router, "adamw_lr1e-2_wd0.01_clip1.0_steps_[loss,grad_norm]": steps}


def make(family, config, cls, targets, out):
    folder = os.path.join(out, "nn", family)
    adapters = os.path.join(out, "peft", family)
    os.makedirs(folder, exist_ok=True)
    os.makedirs(adapters, exist_ok=True)
    torch.manual_seed(SEEDS.get(family, SEED))
    model = cls(config).float().eval()
    weights(model)
    model.save_pretrained(folder)
    generator = torch.Generator().manual_seed(SEED)
    ids = torch.randint(3, VOCAB, (2, WIDTH), generator=generator)
    mask = torch.ones_like(ids)
    ids[1, 17:] = 0
    mask[1, 17:] = 0
    labels = ids.clone()
    labels[mask == 0] = -100
    labels[0, :6] = -100
    labels[1, :3] = -100
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=mask).logits
        greedy = model.generate(input_ids=ids[:1, :8], attention_mask=mask[:1, :8], max_new_tokens=24, do_sample=False,
                                pad_token_id=0, eos_token_id=None,
                                use_cache=family != "phi3")  # whose cache Transformers 5.18 loses where longrope changes
    save(folder, "expected.safetensors", {"input_ids": ids, "attention_mask": mask, "labels": labels, "logits": logits, "greedy": greedy})
    info = {"loss": float(loss_of(logits, labels))}
    if family in ROUTED:
        with torch.no_grad():
            info["aux_loss"] = float(model(input_ids=ids, attention_mask=mask, output_router_logits=True).aux_loss)
    with open(os.path.join(folder, "expected.json"), "w") as file:
        json.dump(info, file, indent=1)
    base = cls.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
    info["lora"] = lora(base, os.path.join(adapters, "lora"), targets, (ids, mask, labels))
    if family in ROUTED:
        base = cls.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32, output_router_logits=True,
                                   router_aux_loss_coef=AUX_COEF)
        info["lora-router"] = lora(base, os.path.join(adapters, "lora-router"), targets, (ids, mask, labels))
    with open(os.path.join(adapters, "expected.json"), "w") as file:
        json.dump(info, file, indent=1)
    print(family, info["loss"], info["lora"]["loss"], flush=True)


if __name__ == "__main__":
    torch.set_num_threads(2)
    for name in sys.argv[2:] or FAMILIES:
        make(name, *FAMILIES[name](), sys.argv[1])
