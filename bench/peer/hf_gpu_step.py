"""The peer of `gale bench step --device gpu`: Transformers and PEFT on the same GPU, SDPA attention, bf16 autocast, fused AdamW.

Appends rows to bench/results/gpu.csv. Needs torch with CUDA, transformers and peft.
usage, in the root folder of the sources: python3 bench/peer/hf_gpu_step.py SHAPE[@LAYERS]:BATCH:SEQ:CHECKPOINTING...
e.g. 1b:4:2048:layer 8b:2:2048:none qwen3-30b-a3b@4:2:2048:layer
Experts of mixtures are adapted as PEFT does it for fused ones, by target_parameters.
"""
import datetime
import gc
import os
import re
import statistics
import sys
import time

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, MixtralConfig, Qwen3MoeConfig

STEPS = 8
WARM_UPS = 3
FILE = "bench/results/gpu.csv"
HEADER = ("date,device,driver,backend,tornadovm,jdk,commit,products,options,shape,layers,batch,seq,checkpointing,quantization,"
          "step_ms,tokens_per_s,peak_bytes,reserved_bytes,planned_bytes,first_step_s,settings,host_bytes,used_bytes")
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
SHAPES = {
    "1b": (LlamaConfig, dict(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
                             num_key_value_heads=8, head_dim=64, vocab_size=128256, tie_word_embeddings=True)),
    "8b": (LlamaConfig, dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
                             num_key_value_heads=8, head_dim=128, vocab_size=128256, tie_word_embeddings=False)),
    "mixtral-8x7b": (MixtralConfig, dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
                                         num_key_value_heads=8, vocab_size=32000, num_local_experts=8, num_experts_per_tok=2)),
    "qwen3-30b-a3b": (Qwen3MoeConfig, dict(hidden_size=2048, intermediate_size=6144, num_hidden_layers=48, num_attention_heads=32,
                                           num_key_value_heads=4, head_dim=128, vocab_size=151936, num_experts=128,
                                           num_experts_per_tok=8, moe_intermediate_size=768, norm_topk_prob=True)),
}


def driver():
    try:
        with open("/proc/driver/nvidia/version") as version:
            return re.search(r"\d+\.\d+\.\d+", version.readline())[0]
    except (OSError, TypeError):
        return os.popen("nvidia-smi --query-gpu=driver_version --format=csv,noheader").read().split("\n")[0] or "unknown"


def add(shape, layers, batch, seq, checkpointing, seconds, peak, reserved, first):
    versions = f"torch {torch.__version__} transformers {transformers.__version__} peft {peft.__version__}"
    row = [datetime.date.today(), torch.cuda.get_device_name(), driver(), "CUDA", "-", "-", "-", "Transformers + PEFT", versions,
           shape, layers, batch, seq, checkpointing, "none", f"{seconds * 1e3:.6g}", f"{batch * seq / seconds:.6g}", peak, reserved, "-",
           f"{first:.4g}", "-", "-", "-"]
    print(*row, sep=",", flush=True)
    os.makedirs(os.path.dirname(FILE), exist_ok=True)
    if not os.path.exists(FILE):
        with open(FILE, "w") as csv:
            print(HEADER, file=csv)
    with open(FILE, "a") as csv:
        print(*row, sep=",", file=csv)


def run(shape, layers, batch, seq, checkpointing):
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    begin = time.time()
    torch.manual_seed(0)
    family, values = SHAPES[shape]
    if layers:
        values = {**values, "num_hidden_layers": layers}
    config = family(**values, rope_theta=500000.0, max_position_embeddings=max(8192, seq), attn_implementation="sdpa",
                    use_cache=False)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(config)
    torch.set_default_dtype(torch.float32)
    adapted = (dict(target_modules=ATTENTION + ["gate_proj", "up_proj", "down_proj"]) if family is LlamaConfig else
               dict(target_modules=ATTENTION, target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]))
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=16, lora_dropout=0.0, **adapted))
    if checkpointing == "layer":
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-4, fused=True)
    ids = torch.randint(0, config.vocab_size, (batch, seq), device="cuda")
    taken = []
    for _ in range(STEPS):
        torch.cuda.synchronize()
        start = time.perf_counter()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
        if len(taken) == 1:
            first = time.time() - begin
    add(shape, config.num_hidden_layers, batch, seq, checkpointing, statistics.median(taken[WARM_UPS:]),
        torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved(), first)


for argument in sys.argv[1:]:
    shape, batch, seq, checkpointing = argument.split(":")
    shape, _, layers = shape.partition("@")
    run(shape, int(layers or 0), int(batch), int(seq), checkpointing)
