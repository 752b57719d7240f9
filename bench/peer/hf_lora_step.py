"""The peer of `gale bench step` and of the sgemm row: Transformers, PEFT and PyTorch on the CPU.

Appends rows to bench/results/cpu.csv. Needs torch, transformers and peft.
usage, in the root folder of the sources: python3 bench/peer/hf_lora_step.py [TOKENS]
"""
import datetime
import resource
import sys
import time

import peft
import torch
import transformers

STEPS = 6
TOKENS = int(sys.argv[1]) if len(sys.argv) > 1 else 512


def machine():
    with open("/proc/cpuinfo") as info:
        fields = dict(reversed([[part.strip() for part in line.split(":", 1)] for line in info if ":" in line]))
    return f"{fields['model name']} family {fields['cpu family']} model {fields['model']}".replace(",", " ")


def add(op, shape, value, unit):
    runtime = f"torch {torch.__version__} transformers {transformers.__version__} peft {peft.__version__}"
    row = [datetime.date.today(), op, shape, torch.get_num_threads(), f"{value:.4g}", unit, machine(), runtime, "-"]
    print(*row, sep=",")
    with open("bench/results/cpu.csv", "a") as csv:
        print(*row, sep=",", file=csv)


def seconds(call, times):
    """The fastest of some calls; the first one warms up."""
    taken = []
    for _ in range(times + 1):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return min(taken[1:])


def lora_step():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
        vocab_size=49152, tie_word_embeddings=True, max_position_embeddings=2048, use_cache=False,
        attn_implementation="sdpa")
    lora = peft.LoraConfig(r=16, lora_alpha=16, target_modules="all-linear")
    model = peft.get_peft_model(transformers.LlamaForCausalLM(config).float(), lora).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-4)
    ids = torch.randint(0, config.vocab_size, (1, TOKENS))

    def step():
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return seconds(step, STEPS)


def sgemm():
    a, b = torch.randn(1536, 2048), torch.randn(2048, 2048)
    return 2 * 1536 * 2048 * 2048 / seconds(lambda: a @ b, 20) / 1e9


shape = f"llama-135m lora-r16 1x{TOKENS}"
best = lora_step()
add("lora step: Transformers + PEFT", shape, TOKENS / best, "tokens/s")
add("lora step: Transformers + PEFT", shape, best, "s")
add("lora step: Transformers + PEFT", shape, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, "MB peak")
add("sgemm: PyTorch", "1536x2048x2048", sgemm(), "GFLOP/s")
