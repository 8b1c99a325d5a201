/**
 * Supervised fine-tuning of a LoRA adapter: the loss is on replies only, what they answer (all earlier turns) is context.
 *
 * Differences from the textbook:
 * - A step is a budget of tokens, not of examples, and its loss the mean over its reply tokens, so that a long reply counts
 *   for more than a short one. Examples of like length share a step.
 * - A long step is accumulated in passes of at most `maxTokensPerPass`; the sum is that of one pass.
 * - Weight decay acts on A and B apart, not on their product. There is no dropout.
 * - The result is the adapter that did best on the validation examples, not the last one.
 *
 * That adapter lies in `adapter/` at any time; a run that is interrupted goes on from `checkpoint.safetensors` to the same
 * bits.
 */
import { join } from "node:path";
import type { BaseModel } from "../../engine/checkpoint/base-model.ts";
import type { LoraAdapter } from "../../engine/lora/adapter.ts";
import { type AdapterOrigin, probeOf, writeAdapterFolder } from "../adapter-folder.ts";
import { loadRunCheckpoint, saveRunCheckpoint } from "../checkpoint/run-checkpoint.ts";
import { lengthBuckets } from "../length-buckets.ts";
import { matricesOf } from "../lora-graph.ts";
import { createLoraScorer, type LoraScorer } from "../lora-scorer.ts";
import { refuseNonFinite } from "../non-finite.ts";
import { checkpointTensors, clippedAdamWStep, createAdamStates } from "../optimizer/lora-optimizer.ts";
import { learningRateFactor } from "../optimizer/schedule.ts";
import type { SftSettings } from "../settings.ts";
import type { TokenSequence } from "../token-sequences.ts";
import { adam } from "./default-settings.ts";
import { createSftGraph, differentiateSft } from "./sft-graph.ts";

export type FineTuneSettings = Omit<SftSettings, "rank" | "alpha">;

/** What to say to a prompt. */
export interface SftExample extends TokenSequence {
  /** The logged exchange that it comes from, if any. */
  exchange?: string;
}

export interface FineTuneOptions extends FineTuneSettings {
  base: BaseModel;
  /** Where training starts; its arrays are changed. */
  adapter: LoraAdapter;
  train: readonly SftExample[];
  validation: readonly SftExample[];
  /** Gets `adapter/` and `checkpoint.safetensors`. */
  outDir: string;
  threads: number;
  /** What `rejoinder.json` says about the result. */
  origin: Pick<AdapterOrigin, "name" | "version" | "parent" | "run">;
  signal?: AbortSignal;
  /** @param batch what the step was made of */
  onStep?: (report: SftReport, batch: readonly SftExample[]) => void;
}

export interface SftReport {
  step: number;
  steps: number;
  /** Mean over the step's reply tokens, nats. */
  loss: number;
  /** Mean over all reply tokens of the validation examples, nats; only on steps that looked. */
  validationLoss?: number;
  gradientNorm: number;
  learningRate: number;
  /** Prompt and reply tokens, without padding, a second. */
  tokensPerSecond: number;
}

/** The adapter in `adapter/`. */
export interface BestAdapter {
  step: number;
  validationLoss: number;
  sha256: string;
}

interface SftProgress {
  step: number;
  best: BestAdapter | null;
}

/** Mean log-loss (nats) a reply token. */
export async function replyLoss(
  scorer: LoraScorer,
  adapter: LoraAdapter,
  examples: readonly TokenSequence[],
  maxTokensPerPass: number,
): Promise<number> {
  let sum = 0;
  let count = 0;
  for (const batch of lengthBuckets(examples, maxTokensPerPass, 0)) {
    const sequences = batch.map((example) => ({ ...example, temperature: 1 }));
    for (const { logProbs } of await scorer.score(adapter, sequences)) {
      for (const logProb of logProbs) sum -= logProb;
      count += logProbs.length;
    }
  }
  return sum / count;
}

/** All batches of all epochs, in the order they are trained on. */
export function planBatches(
  train: readonly SftExample[],
  { epochs, tokensPerStep, seed }: Pick<FineTuneSettings, "epochs" | "tokensPerStep" | "seed">,
): SftExample[][] {
  return Array.from({ length: epochs }, (_, epoch) => lengthBuckets(train, tokensPerStep, seed + 1000 * epoch)).flat();
}

/**
 * Runs, or goes on from the checkpoint in `outDir`.
 *
 * @returns the best adapter so far, and whether all steps were done (not when the signal came first)
 * @throws TrainerError `non_finite` when the loss or a gradient is no finite number
 */
export async function fineTune(options: FineTuneOptions): Promise<{ finished: boolean; best: BestAdapter | null }> {
  const { base, adapter, validation, outDir, threads, maxTokensPerPass } = options;
  const batches = planBatches(options.train, options);
  const matrices = matricesOf(adapter);
  const states = createAdamStates(matrices);
  const tensors = checkpointTensors(matrices, states);
  const checkpointPath = join(outDir, "checkpoint.safetensors");
  const progress = loadRunCheckpoint<SftProgress>(checkpointPath, tensors) ?? { step: 0, best: null };

  const graph = await createSftGraph(base, adapter.shape, { threads });
  const scorer = await createLoraScorer(base, adapter.shape, { threads });
  try {
    while (progress.step < batches.length && !options.signal?.aborted) {
      const began = performance.now();
      const batch = batches[progress.step] as SftExample[];
      const { loss, gradients } = await differentiateSft(graph, adapter, batch, maxTokensPerPass);
      refuseNonFinite({ losses: { loss }, gradients }, batch, { step: progress.step + 1, folder: outDir });
      const factor = learningRateFactor(progress.step, batches.length, options.warmupSteps, options.decay);
      const learningRate = options.learningRate * factor;
      const gradientNorm = clippedAdamWStep(matrices, gradients, states, progress.step + 1, {
        ...adam,
        learningRate,
        weightDecay: options.weightDecay,
        maxNorm: options.maxGradientNorm,
      });
      progress.step += 1;
      const tokens = batch.reduce((sum, row) => sum + row.promptTokens.length + row.replyTokens.length, 0);
      const report: SftReport = {
        step: progress.step,
        steps: batches.length,
        loss,
        gradientNorm,
        learningRate,
        tokensPerSecond: (1000 * tokens) / (performance.now() - began),
      };
      if (progress.step % options.stepsBetweenEvaluations === 0 || progress.step === batches.length) {
        const validationLoss = await replyLoss(scorer, adapter, validation, maxTokensPerPass);
        report.validationLoss = validationLoss;
        if (validationLoss < (progress.best?.validationLoss ?? Number.POSITIVE_INFINITY)) {
          const sha256 = writeAdapterFolder(join(outDir, "adapter"), adapter, base, {
            ...options.origin,
            rewardVersion: null,
            metrics: { validationLoss, step: progress.step },
            probe: await probeOf(scorer, adapter, validation[0] as TokenSequence),
          });
          progress.best = { step: progress.step, validationLoss, sha256 };
        }
      }
      // Reported first: a checkpoint must not be ahead of what tells how it came about.
      options.onStep?.(report, batch);
      if (report.validationLoss !== undefined) saveRunCheckpoint(checkpointPath, tensors, progress);
    }
    if (options.signal?.aborted) saveRunCheckpoint(checkpointPath, tensors, progress);
  } finally {
    await Promise.all([graph.dispose(), scorer.dispose()]);
  }
  return { finished: progress.step >= batches.length, best: progress.best };
}
