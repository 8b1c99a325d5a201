/**
 * The trainer process: `node trainer/worker.ts job.json`.
 *
 * Reports over IPC where it was given a channel, and in `metrics.jsonl` of the job's folder always. Exit code 0: the
 * adapter is in `<outputDir>/adapter`. 1: failed, and the last event says why. 75: stopped by SIGTERM or SIGINT; started
 * again with the same job it goes on.
 */
import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { TrainingEvent, TrainingJob } from "./contract.ts";
import { lowerPriority } from "./low-priority.ts";
import { ppo } from "./ppo/ppo.ts";
import { readJob, runIdOf } from "./read-job.ts";
import { createRunReporter } from "./run-reporter.ts";
import { loggedSft } from "./sft/logged-sft.ts";
import { describeFailure } from "./trainer-error.ts";

const resumable = 75;

/** Whoever started us may be gone: the run goes on, and `metrics.jsonl` tells the rest. */
function send(event: TrainingEvent): void {
  if (process.connected) process.send?.(event, undefined, undefined, () => undefined);
}

async function main(jobFile: string): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
  lowerPriority();
  let job: TrainingJob;
  try {
    job = readJob(jobFile);
  } catch (error) {
    // Without a job there is no folder to report to; whoever listens is told.
    process.stderr.write(`${(error as Error).message}\n`);
    send({ type: "failed", runId: runIdOf(jobFile), error: describeFailure(error) });
    return 1;
  }
  mkdirSync(job.outputDir, { recursive: true });
  const reporter = createRunReporter(job, send);
  try {
    const threads = Math.min(job.threads, availableParallelism());
    const train = { ppo, sft: loggedSft }[job.algorithm];
    return (await train({ ...job, threads }, reporter, stop.signal)) ? 0 : resumable;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    reporter.failed(describeFailure(error));
    return 1;
  }
}

const [jobFile] = process.argv.slice(2);
if (jobFile === undefined) {
  process.stderr.write("Usage: node trainer/worker.ts job.json\n");
  process.exitCode = 2;
} else {
  process.exitCode = await main(jobFile);
}
// Closing the channel after what was sent through it lets the process end by itself.
if (process.connected) process.disconnect();
