/**
 * Pre-training from scratch on a prepared token file.
 *
 * Schedule: warm-up, constant, then a straight line to zero over the last part (Hägele et al. 2024), so that a longer
 * run can be decided on while it goes. Short rows first, whole chunks at the end.
 */
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "../../engine/architectures/architecture.ts";
import { encodeSafetensors } from "../../engine/checkpoint/safetensors.ts";
import { writeFileAtomically } from "../checkpoint/write-file-atomically.ts";
import { createLanguageModelGraph, denseFeeds, type LanguageModelGraph } from "../language-model-graph.ts";
import { initialWeights } from "./initial-weights.ts";
import { loadPretrainCheckpoint, savePretrainCheckpoint } from "./pretrain-checkpoint.ts";
import { PretrainOptimizer, type PretrainRates } from "./pretrain-optimizer.ts";
import { chunkLength, TokenChunks } from "./token-chunks.ts";

export interface PretrainOptions {
  architecture: Architecture;
  /** Weights to begin with instead of random ones, e.g. those of an earlier run. They are not changed. */
  from?: ReadonlyMap<string, Float32Array>;
  /** Folder with `train.bin` and `heldout.bin`. */
  corpus: string;
  /** Gets `checkpoint.safetensors`, `metrics.jsonl` and, at the end, `model.safetensors`. */
  outDir: string;
  /** Optimizer steps in all. */
  steps: number;
  /** Chunks of 512 tokens in one step. */
  chunksPerStep: number;
  rates: PretrainRates;
  warmupSteps: number;
  /** Share of the steps over which the rates fall to zero. */
  decayShare: number;
  seed: number;
  threads: number;
  signal?: AbortSignal;
  onStep?: (report: PretrainReport) => void;
}

export interface PretrainReport {
  step: number;
  steps: number;
  /** Mean loss of the step, nats a token. */
  loss: number;
  heldOutLoss?: number;
  tokensPerSecond: number;
}

const stepsBetweenEvaluations = 100;
const stepsBetweenCheckpoints = 50;
const heldOutChunks = 32;

/** Row length as training goes on: short rows cost less attention and more of them fit early on. */
export function rowLength(share: number): number {
  return share < 0.4 ? 128 : share < 0.8 ? 256 : 512;
}

export function scheduleFactor(step: number, steps: number, warmupSteps: number, decayShare: number): number {
  const left = (steps - step) / (steps * decayShare);
  return Math.min(1, (step + 1) / warmupSteps, left);
}

export async function heldOutLoss(
  graph: LanguageModelGraph,
  weights: ReadonlyMap<string, Float32Array>,
  heldOut: TokenChunks,
  chunks: number,
): Promise<number> {
  let sum = 0;
  for (let chunk = 0; chunk < chunks; chunk += 8) {
    const count = Math.min(8, chunks - chunk);
    const { rows, inputs, targets } = heldOut.batch(chunk, count, 256);
    sum += (await graph.run(weights, denseFeeds(rows, 256, inputs, targets))).loss * count;
  }
  return sum / chunks;
}

/** Runs, or goes on from the checkpoint in `outDir`. Returns false when it was interrupted by the signal. */
export async function pretrain(options: PretrainOptions): Promise<boolean> {
  const { architecture, outDir, steps, chunksPerStep, seed, threads } = options;
  mkdirSync(outDir, { recursive: true });
  const train = new TokenChunks(join(options.corpus, "train.bin"), seed);
  const heldOut = new TokenChunks(join(options.corpus, "heldout.bin"), 0);
  const weights =
    options.from === undefined
      ? initialWeights(architecture, seed)
      : new Map([...options.from].map(([name, data]) => [name, data.slice()]));
  const optimizer = await PretrainOptimizer.create(architecture, threads);
  const graph = await createLanguageModelGraph(architecture, { threads, withGradients: true });
  const evaluation = await createLanguageModelGraph(architecture, { threads, withGradients: false });
  const progress = loadPretrainCheckpoint(outDir, weights, optimizer.moments) ?? { step: 0, chunks: 0, seconds: 0 };

  while (progress.step < steps && !options.signal?.aborted) {
    const began = performance.now();
    const time = rowLength(progress.step / steps);
    const { rows, inputs, targets } = train.batch(progress.chunks, chunksPerStep, time);
    const { loss, gradients } = await graph.run(weights, denseFeeds(rows, time, inputs, targets));
    if (!Number.isFinite(loss)) throw new Error(`the loss of step ${progress.step + 1} is ${loss}`);
    const factor = scheduleFactor(progress.step, steps, options.warmupSteps, options.decayShare);
    await optimizer.step(weights, gradients, progress.step + 1, factor, options.rates);
    progress.step += 1;
    progress.chunks += chunksPerStep;
    const seconds = (performance.now() - began) / 1000;
    progress.seconds += seconds;

    const last = progress.step === steps;
    const report: PretrainReport = {
      step: progress.step,
      steps,
      loss,
      tokensPerSecond: (chunksPerStep * chunkLength) / seconds,
    };
    if (last || progress.step % stepsBetweenEvaluations === 0) {
      const chunks = last ? heldOut.chunks : Math.min(heldOutChunks, heldOut.chunks);
      report.heldOutLoss = await heldOutLoss(evaluation, weights, heldOut, chunks);
    }
    appendFileSync(join(outDir, "metrics.jsonl"), `${JSON.stringify({ ...report, time, factor })}\n`);
    options.onStep?.(report);
    if (last || progress.step % stepsBetweenCheckpoints === 0) {
      savePretrainCheckpoint(outDir, weights, optimizer.moments, progress);
    }
  }

  const finished = progress.step >= steps;
  if (finished) {
    const named = [...architecture.parameters].map(
      ([name, shape]) => [name, { data: weights.get(name) ?? new Float32Array(0), shape }] as const,
    );
    writeFileAtomically(join(outDir, "model.safetensors"), encodeSafetensors(new Map(named), "BF16"));
  } else {
    savePretrainCheckpoint(outDir, weights, optimizer.moments, progress);
  }
  await Promise.all([optimizer.dispose(), graph.dispose(), evaluation.dispose()]);
  return finished;
}
