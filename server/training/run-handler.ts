/**
 * One training run from its snapshot to its verdict. Every step can be done again: a run whose server died is started
 * anew with the files it has left, and the trainer goes on from its checkpoint.
 */
import { stat } from "node:fs/promises";
import { CheckpointError } from "../../engine/types.ts";
import type { TrainingEvent, TrainingJob } from "../../trainer/contract.ts";
import { GateFailedError } from "../gate/run-gate.ts";
import { JobInterruptedError, UnretryableJobError } from "../jobs/named-queue.ts";
import type { Job } from "../ports.ts";
import { RequestError } from "../request-error.ts";
import type { StoredRun } from "../store/runs.ts";
import { createDecision, type DecisionOptions, type Trained } from "./decide-run.ts";
import { createPreparation, type PrepareOptions } from "./prepare-run.ts";
import { startRunSchema } from "./requests.ts";
import { PassingFailureError, RunFailedError, trainerFailure } from "./run-failures.ts";
import { jobInputs, type RunFiles, readJob, runFiles } from "./run-files.ts";
import { importSteps } from "./steps.ts";
import { readTrainingEvents } from "./trainer-events.ts";
import { runTrainer } from "./trainer-process.ts";
import type { TrainerRunner } from "./trainer-runner.ts";

/** A run is given up after so many starts that did not end in order. */
export const maxRunAttempts = 3;

export interface RunHandlerOptions extends PrepareOptions, DecisionOptions {
  trainerEntry: string;
  /** Where trainer programs run. Default: on this machine. */
  runner?: TrainerRunner;
  killAfterMs?: number;
}

export function createRunHandler(options: RunHandlerOptions) {
  const { store, progress, now } = options;
  const prepare = createPreparation(options);
  const decide = createDecision(options);

  /** The trainer's last word, from an earlier start if it had ended already. */
  async function train(run: StoredRun, job: TrainingJob, files: RunFiles, signal: AbortSignal): Promise<Trained> {
    const earlier = await readTrainingEvents(files.metrics, run.id);
    for (const event of earlier) if (event.type !== "failed") await progress.record(event);
    const done = earlier.findLast((event) => event.type === "succeeded");
    if (done !== undefined && (await stat(files.adapter).catch(() => null)) !== null) return { done, events: earlier };

    const events: TrainingEvent[] = [...earlier];
    const outcome = await runTrainer({
      entry: options.trainerEntry,
      jobFile: files.job,
      runId: run.id,
      inputs: jobInputs(job),
      runner: options.runner,
      signal,
      killAfterMs: options.killAfterMs,
      onEvent: async (event) => {
        events.push(event);
        await progress.record(event);
      },
    });
    if (outcome.type === "succeeded") return { done: outcome.event, events };
    if (outcome.type === "failed") throw trainerFailure(outcome.error);
    signal.throwIfAborted();
    if (outcome.type === "stopped") throw new Error("The trainer was stopped from outside and kept its checkpoint");
    throw new Error(outcome.message);
  }

  async function finish(run: StoredRun, state: "failed" | "cancelled", code: string, message: string): Promise<void> {
    await importSteps(store, run.id, runFiles(options.runsFolder, run.id).steps);
    await progress.change(run.id, { state, finishedAt: now().toISOString(), error: { code, message } });
  }

  return async function handle(queued: Job, signal: AbortSignal): Promise<void> {
    const run = await store.runs.get(queued.id);
    if (run === null) throw new UnretryableJobError(`There is no training run ${queued.id}`);
    if (run.finishedAt !== null) return;
    const request = startRunSchema.parse(run.settings);
    const files = runFiles(options.runsFolder, run.id);
    try {
      if (queued.attempt > maxRunAttempts) {
        throw new RunFailedError("crashed", `Given up: ${maxRunAttempts} starts did not end in order`);
      }
      await progress.change(run.id, { state: "running", startedAt: run.startedAt ?? now().toISOString() });
      const job = (await readJob(files)) ?? (await prepare(run, request, files));
      await decide(run, request, job, await train(run, job, files, signal), signal);
    } catch (error) {
      const reason: unknown = signal.reason;
      const message = error instanceof Error ? error.message : String(error);
      if (reason instanceof JobInterruptedError) {
        if (reason.interruption === "cancelled") await finish(run, "cancelled", "cancelled", "Cancelled by request");
      } else if (error instanceof RunFailedError || error instanceof RequestError || error instanceof GateFailedError) {
        await finish(run, "failed", error.code, message);
      } else if (error instanceof CheckpointError) {
        await finish(run, "failed", error.code, message);
        throw new UnretryableJobError(message, { cause: error });
      } else if (queued.attempt >= maxRunAttempts) {
        const code = error instanceof PassingFailureError ? error.code : "crashed";
        await finish(run, "failed", code, `Failed ${queued.attempt} times, last: ${message}`);
      }
      throw error;
    }
  };
}
