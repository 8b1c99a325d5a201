/** What both sides train: the same checkpoint, adapter, batch and optimizer, written into a folder. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readArchitecture } from "../../engine/checkpoint/config.ts";
import { randomStream } from "../../engine/generation/random.ts";
import { everyTarget, freshAdapter } from "../../engine/lora/adapter.ts";
import { writePeftAdapter } from "../../engine/lora/peft.ts";
import { promptOf } from "../contender.ts";

export interface LoraTrainingJob {
  /** Checkpoint folder. */
  model: string;
  /** PEFT folder of the adapter to begin with. */
  adapter: string;
  threads: number;
  /** Tokens of each row that are context only. */
  promptTokens: number;
  /** [batch, prompt + reply] token ids. */
  rows: number[][];
  /** Ours only: a batch with more tokens is accumulated in passes. */
  maxTokensPerPass: number;
  optimizer: {
    learningRate: number;
    beta1: number;
    beta2: number;
    epsilon: number;
    weightDecay: number;
    maxGradientNorm: number;
  };
}

export interface BatchSize {
  rows: number;
  promptTokens: number;
  replyTokens: number;
}

const rank = 16;

/** Writes `adapter/` and `job.json` into `folder`. @returns the path of the job */
export function writeJob(
  folder: string,
  model: string,
  size: BatchSize,
  { threads, maxTokensPerPass = Number.MAX_SAFE_INTEGER }: { threads: number; maxTokensPerPass?: number },
): string {
  const architecture = readArchitecture(model);
  const random = randomStream(rank);
  const shape = { rank, alpha: 2 * rank, targetModules: everyTarget(architecture), rankStabilized: false };
  const adapter = freshAdapter(architecture, shape, random);
  // A fresh B is zero, and A's first gradient with it: small numbers let the first steps' losses compare both.
  for (const { b } of adapter.matrices.values()) for (let i = 0; i < b.length; i++) b[i] = 0.01 * (random() - 0.5);
  const job: LoraTrainingJob = {
    model,
    adapter: join(folder, "adapter"),
    threads,
    promptTokens: size.promptTokens,
    rows: Array.from({ length: size.rows }, (_, row) => promptOf(size.promptTokens + size.replyTokens, row)),
    maxTokensPerPass,
    optimizer: {
      learningRate: 1e-4,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      maxGradientNorm: 1,
    },
  };
  writePeftAdapter(job.adapter, adapter, model);
  const path = join(folder, "job.json");
  writeFileSync(path, JSON.stringify(job));
  return path;
}
