/** Fine-tuning on what annotators said about logged exchanges: a training job with algorithm "sft". */
import { join } from "node:path";
import { loadTokenizer } from "../../engine/tokenizer/tokenizer.ts";
import type { TrainingJob } from "../contract.ts";
import { openTrainedBase } from "../open-trained-base.ts";
import { parentOf, startingAdapter } from "../parent-adapter.ts";
import { readExchanges } from "../read-exchanges.ts";
import type { RunReporter } from "../run-reporter.ts";
import type { SftSettings } from "../settings.ts";
import { TrainerError } from "../trainer-error.ts";
import { defaultSftSettings } from "./default-settings.ts";
import { fineTune, planBatches } from "./fine-tune.ts";
import { loggedExamples } from "./logged-examples.ts";

const fewestExamples = 4;

/** @returns false when the signal came before the end @throws TrainerError when it cannot go on */
export async function loggedSft(job: TrainingJob, reporter: RunReporter, signal: AbortSignal): Promise<boolean> {
  const settings: SftSettings = { ...defaultSftSettings, ...job.settings };
  const base = await openTrainedBase(job.model, job, settings.gradients);
  const { architecture } = base;
  const tokenizer = loadTokenizer(job.model, architecture.vocabularySize);
  const { train, validation, discarded } = loggedExamples(
    readExchanges(job.snapshot, job.snapshotSha256),
    tokenizer,
    architecture,
    settings,
  );
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
    adapter: startingAdapter(job, architecture, settings),
    train,
    validation,
    outDir: job.outputDir,
    threads: job.threads,
    origin: { name: "rejoinder", version: job.version, parent: parentOf(job), run: job.runId },
    signal,
    onStep: ({ step, steps, ...values }, batch) => {
      reporter.trained({ step, exchanges: batch.flatMap(({ exchange }) => exchange ?? []) });
      reporter.metric({ step, steps, values });
    },
  });
  if (!finished || best === null) return false;
  reporter.succeeded({
    adapterFolder: join(job.outputDir, "adapter"),
    sha256: best.sha256,
    metrics: { validationLoss: best.validationLoss, bestStep: best.step },
  });
  return true;
}
