/**
 * `our-process.ts JOB.json fp32|int8`: LoRA training steps as `fineTune` makes them, by the protocol of
 * `bench/pytorch/lora_training.py`. With int8 the frozen weights are, and gradients through them are rounded too.
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { readPeftAdapter } from "../../engine/lora/peft.ts";
import { openBaseModel } from "../../engine/open-base-model.ts";
import { matricesOf } from "../../trainer/lora-graph.ts";
import { clippedAdamWStep, createAdamStates } from "../../trainer/optimizer/lora-optimizer.ts";
import { createSftGraph, differentiateSft } from "../../trainer/sft/sft-graph.ts";
import type { LoraTrainingJob } from "./job.ts";

const [path = "", precision = "fp32"] = process.argv.slice(2);
const job = JSON.parse(readFileSync(path, "utf8")) as LoraTrainingJob;
const base = await openBaseModel(job.model, precision === "int8" ? { quantization: "int8", roundGradients: true } : {});
const adapter = readPeftAdapter(job.adapter, base.architecture);
const graph = await createSftGraph(base, adapter.shape, { threads: job.threads });
const matrices = matricesOf(adapter);
const states = createAdamStates(matrices);
const batch = job.rows.map((row) => ({
  promptTokens: row.slice(0, job.promptTokens),
  replyTokens: row.slice(job.promptTokens),
}));
let steps = 0;

async function step(): Promise<number> {
  const { loss, gradients } = await differentiateSft(graph, adapter, batch, job.maxTokensPerPass);
  const { maxGradientNorm: maxNorm, ...adam } = job.optimizer;
  clippedAdamWStep(matrices, gradients, states, ++steps, { ...adam, maxNorm });
  return loss;
}

const answer = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`);
const trained = [...matrices.values()].reduce((sum, { length }) => sum + length, 0);
answer({ ready: true, version: `Node ${process.versions.node}`, trained });
for await (const line of createInterface({ input: process.stdin })) {
  const seconds: number[] = [];
  const processorSeconds: number[] = [];
  const losses: number[] = [];
  for (let n = 0; n < Number(line); n++) {
    const began = performance.now();
    const used = process.cpuUsage();
    losses.push(await step());
    seconds.push((performance.now() - began) / 1000);
    const { user, system } = process.cpuUsage(used);
    processorSeconds.push((user + system) / 1e6);
  }
  answer({ seconds, processorSeconds, losses, peakBytes: 1024 * process.resourceUsage().maxRSS });
}
await graph.dispose();
