"""Golden adapters beyond plain LoRA, on the models that family_fixtures.py made: tokens trained by row, and experts.

Writes OUT/FAMILY/ADAPTER as peft's tests have them in src/test/resources/fixtures, and their numbers into OUT/FAMILY/expected.json.
  python adapter_fixtures.py BASES OUT     needs torch, transformers 5, peft, safetensors; F32 on the CPU
BASES has the models' folders: nn/src/test/resources/fixtures. Experts that are modules of their own need transformers 4.
"""
import json
import os
import sys

import torch
import transformers as T
from safetensors.torch import load_file

from family_fixtures import ALL, SEED, lora

EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
FUSED = {
    "llama/tokens": (["q_proj", "down_proj"], dict(trainable_token_indices={"embed_tokens": [300, 17, 63], "lm_head": [17, 8, 44, 2]})),
    "qwen2/tokens": (["q_proj"], dict(trainable_token_indices=[40, 7, 13])),
    "gemma2/tokens": (["q_proj"], dict(trainable_token_indices=[40, 7, 13])),
    "granite/tokens": (["q_proj"], dict(trainable_token_indices={"embed_tokens": [40, 7, 13], "lm_head": [40, 7, 13]})),
    "qwen3/tokens-apart": (["q_proj"], dict(trainable_token_indices={"embed_tokens": [40, 7, 13], "lm_head": [7, 9]})),
    "mixtral/fused": (["q_proj"], dict(target_parameters=[*EXPERTS, "mlp.gate.weight"])),
    "qwen2-moe/fused": (["q_proj", "down_proj"], dict(target_parameters=["experts.gate_up_proj"], use_rslora=True,
                                                      rank_pattern={"experts.gate_up_proj": 3})),
    "qwen3-moe/fused": ("all-linear", {}),
    "deepseek/fused": ("all-linear", {}),
}
SEPARATE = {
    "mixtral/expert-bias": (["q_proj", "w1", "w2", "w3"], dict(lora_bias=True)),
    "qwen3-moe/expert-ranks": (ALL, dict(rank_pattern={"experts.1.up_proj": 4, r"experts.[34].down_proj": 3},
                                         alpha_pattern={"experts.2.gate_proj": 7})),
}


def make(name, targets, extra, bases, out):
    family, adapter = name.split("/")
    base = T.AutoModelForCausalLM.from_pretrained(os.path.join(bases, family), attn_implementation="eager", dtype=torch.float32)
    given = load_file(os.path.join(bases, family, "expected.safetensors"))
    torch.manual_seed(SEED)
    os.makedirs(os.path.join(out, family), exist_ok=True)
    numbers = lora(base, os.path.join(out, family, adapter), targets, [given[key].long() for key in ("input_ids", "attention_mask", "labels")],
                   **extra)
    path = os.path.join(out, family, "expected.json")
    info = {}
    if os.path.exists(path):
        with open(path) as file:
            info = json.load(file)
    info[adapter] = numbers
    with open(path, "w") as file:
        json.dump(info, file, indent=1)
    print(name, numbers["loss"], flush=True)


if __name__ == "__main__":
    torch.set_num_threads(2)
    for name, (targets, extra) in (SEPARATE if T.__version__.startswith("4.") else FUSED).items():
        make(name, targets, extra, *sys.argv[1:])
