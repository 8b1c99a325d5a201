/**
 * Supervised fine-tuning of a LoRA adapter: the loss is on replies only, what they answer is context.
 *
 * The adapter that did best on the validation examples so far lies in `adapter/` at any time; a run that is
 * interrupted goes on from `checkpoint.safetensors` to the same bits.
 */
import { join } from "node:path";
import type { BaseModel } from "../../engine/checkpoint/base-model.ts";
import type { LoraAdapter } from "../../engine/lora/adapter.ts";
import { type AdapterOrigin, probeOf, writeAdapterFolder } from "../adapter-folder.ts";
import { loadRunCheckpoint, saveRunCheckpoint } from "../checkpoint/run-checkpoint.ts";
import { lengthBuckets } from "../length-buckets.ts";
import { matricesOf } from "../lora-graph.ts";
import { createLoraScorer, type LoraScorer } from "../lora-scorer.ts";
import { checkpointTensors, clippedAdamWStep, createAdamStates } from "../optimizer/lora-optimizer.ts";
import { type Decay, learningRateFactor } from "../optimizer/schedule.ts";
import type { TokenSequence } from "../token-sequences.ts";
import { createSftGraph } from "./sft-graph.ts";

export interface FineTuneSettings {
  epochs: number;
  /** Most tokens, padding included, in one optimizer step. */
  tokensPerStep: number;
  /** Peak of the schedule. */
  learningRate: number;
  warmupSteps: number;
  decay: Decay;
  weightDecay: number;
  /** Gradients are scaled down to this global norm. */
  maxGradientNorm: number;
  /** Steps between two looks at the validation examples. */
  stepsBetweenEvaluations: number;
  seed: number;
}

export interface FineTuneOptions extends FineTuneSettings {
  base: BaseModel;
  /** Where training starts; its arrays are changed. */
  adapter: LoraAdapter;
  train: readonly TokenSequence[];
  validation: readonly TokenSequence[];
  /** Gets `adapter/` and `checkpoint.safetensors`. */
  outDir: string;
  threads: number;
  /** What `rejoinder.json` says about the result. */
  origin: Pick<AdapterOrigin, "name" | "version" | "parent" | "run">;
  signal?: AbortSignal;
  onStep?: (report: SftReport) => void;
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

const validationTokensPerBatch = 4096;
const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/** Mean log-loss (nats) a reply token. */
export async function replyLoss(
  scorer: LoraScorer,
  adapter: LoraAdapter,
  examples: readonly TokenSequence[],
): Promise<number> {
  let sum = 0;
  let count = 0;
  for (const batch of lengthBuckets(examples, validationTokensPerBatch, 0)) {
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
  train: readonly TokenSequence[],
  { epochs, tokensPerStep, seed }: Pick<FineTuneSettings, "epochs" | "tokensPerStep" | "seed">,
): TokenSequence[][] {
  return Array.from({ length: epochs }, (_, epoch) => lengthBuckets(train, tokensPerStep, seed + 1000 * epoch)).flat();
}

/**
 * Runs, or goes on from the checkpoint in `outDir`.
 *
 * @returns the best adapter so far, and whether all steps were done (not when the signal came first)
 * @throws Error when the loss or a gradient is no finite number
 */
export async function fineTune(options: FineTuneOptions): Promise<{ finished: boolean; best: BestAdapter | null }> {
  const { base, adapter, validation, outDir, threads } = options;
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
      const batch = batches[progress.step] as TokenSequence[];
      const { loss, gradients } = await graph.run(adapter, batch);
      const factor = learningRateFactor(progress.step, batches.length, options.warmupSteps, options.decay);
      const learningRate = options.learningRate * factor;
      if (!Number.isFinite(loss)) throw new Error(`the loss of step ${progress.step + 1} is ${loss}`);
      const gradientNorm = clippedAdamWStep(matrices, gradients, states, progress.step + 1, {
        ...adam,
        learningRate,
        weightDecay: options.weightDecay,
        maxNorm: options.maxGradientNorm,
      });
      if (!Number.isFinite(gradientNorm)) throw new Error(`the gradient of step ${progress.step + 1} is not finite`);
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
        const validationLoss = await replyLoss(scorer, adapter, validation);
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
        saveRunCheckpoint(checkpointPath, tensors, progress);
      }
      options.onStep?.(report);
    }
    if (options.signal?.aborted) saveRunCheckpoint(checkpointPath, tensors, progress);
  } finally {
    await Promise.all([graph.dispose(), scorer.dispose()]);
  }
  return { finished: progress.step >= batches.length, best: progress.best };
}
