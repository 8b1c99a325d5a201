"""LoRA training steps with PyTorch and PEFT, for `bench/lora-training`.

    python lora_training.py JOB.json fp32|bf16

JOB names a checkpoint folder, a PEFT adapter folder and token rows of one length (see lora-training/job.ts). The
program says {"ready": true}, then answers each line "N" on standard input with N steps' times, processor
times and losses and the process's peak memory as JSON.

A step is what the trainer of this project does: forward, cross-entropy of the reply tokens, backward, clipping by the
global norm, AdamW. Logits are computed at the reply's places only, on both sides. bf16 keeps the frozen weights and the
activations in bfloat16 and the adapter in float32, as PEFT does by itself.
"""

import json
import resource
import sys
import time

import torch
import torch.nn.functional as functional
from peft import PeftModel
from transformers import AutoModelForCausalLM


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    precision = {"fp32": torch.float32, "bf16": torch.bfloat16}[sys.argv[2]]
    torch.set_num_threads(job["threads"])
    base = AutoModelForCausalLM.from_pretrained(job["model"], dtype=precision)
    model = PeftModel.from_pretrained(base, job["adapter"], is_trainable=True)
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    settings = job["optimizer"]
    optimizer = torch.optim.AdamW(
        trained,
        lr=settings["learningRate"],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["epsilon"],
        weight_decay=settings["weightDecay"],
    )
    prompt = job["promptTokens"]
    rows = torch.tensor(job["rows"])  # [batch, prompt + reply]
    targets = rows[:, prompt:].reshape(-1)

    def step() -> float:
        hidden = base.model(rows[:, :-1], use_cache=False).last_hidden_state[:, prompt - 1 :]
        logits = base.lm_head(hidden).reshape(targets.numel(), -1)
        loss = functional.cross_entropy(logits.float(), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, settings["maxGradientNorm"])
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    answer({"ready": True, "version": torch.__version__, "trained": sum(p.numel() for p in trained)})
    for line in sys.stdin:
        seconds, busy, losses = [], [], []
        for _ in range(int(line)):
            began, used = time.perf_counter(), time.process_time()
            losses.append(step())
            seconds.append(time.perf_counter() - began)
            busy.append(time.process_time() - used)
        peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer({"seconds": seconds, "processorSeconds": busy, "losses": losses, "peakBytes": peak})


def answer(message: dict) -> None:
    print(json.dumps(message), flush=True)


main()
