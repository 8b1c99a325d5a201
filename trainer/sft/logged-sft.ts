/** Fine-tuning on what annotators said about logged exchanges: a training job with algorithm "sft". */
import { join } from "node:path";
import { openBaseModel } from "../../engine/open-base-model.ts";
import { loadTokenizer } from "../../engine/tokenizer/tokenizer.ts";
import type { TrainingJob } from "../contract.ts";
import { parentOf, startingAdapter } from "../parent-adapter.ts";
import { readExchanges } from "../read-exchanges.ts";
import type { RunReporter } from "../run-reporter.ts";
import { TrainerError } from "../trainer-error.ts";
import { type FineTuneSettings, fineTune, planBatches } from "./fine-tune.ts";
import { loggedExamples } from "./logged-examples.ts";

/** Few examples, seen a few times, a few at a time; the best adapter on validation counts, so more does no harm. */
const defaults: FineTuneSettings & { rank: number; alpha: number } = {
  epochs: 4,
  tokensPerStep: 1024,
  learningRate: 5e-4,
  warmupSteps: 4,
  decay: "linear",
  weightDecay: 0.01,
  maxGradientNorm: 1,
  stepsBetweenEvaluations: 10,
  seed: 1,
  rank: 32,
  alpha: 32,
};

const fewestExamples = 4;

/** @returns false when the signal came before the end @throws TrainerError when it cannot go on */
export async function loggedSft(job: TrainingJob, reporter: RunReporter, signal: AbortSignal): Promise<boolean> {
  const { epochs, learningRate, maxGradientNorm, seed, rank, alpha } = { ...defaults, ...job.settings };
  const settings = { ...defaults, epochs, learningRate, maxGradientNorm, seed };
  const base = await openBaseModel(job.model, job);
  const { architecture } = base;
  const tokenizer = loadTokenizer(job.model, architecture.vocabularySize);
  const { train, validation, discarded } = loggedExamples(readExchanges(job.snapshot), tokenizer, architecture);
  if (train.length < fewestExamples) {
    const wanted = `at least ${fewestExamples} replies that annotators called good or rewrote`;
    throw new TrainerError(
      "too_few_exchanges",
      `expected ${wanted}, besides those to validate on; found ${train.length}`,
    );
  }
  const steps = planBatches(train, settings).length;
  reporter.started({ exchanges: train.length + validation.length, discarded, steps });

  const { finished, best } = await fineTune({
    ...settings,
    base,
    adapter: startingAdapter(job, architecture, { rank, alpha, seed }),
    train,
    validation,
    outDir: job.outputDir,
    threads: job.threads,
    origin: { name: "rejoinder", version: job.version, parent: parentOf(job), run: job.runId },
    signal,
    onStep: ({ step, steps, ...values }) => reporter.metric({ step, steps, values }),
  });
  if (!finished || best === null) return false;
  reporter.succeeded({
    adapterFolder: join(job.outputDir, "adapter"),
    sha256: best.sha256,
    metrics: { validationLoss: best.validationLoss, bestStep: best.step },
  });
  return true;
}
