/**
 * What the trainer's programs have in common: one job file as the only argument; reports over IPC where there is a
 * channel, and in `metrics.jsonl` of the job's folder always. Exit code 0: done. 1: failed, and the last event says why.
 * 2: called without a job. 75: stopped by SIGTERM or SIGINT; started again with the same job it goes on.
 */
import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { TrainingEvent } from "./contract.ts";
import { lowerPriority } from "./low-priority.ts";
import { runIdOf } from "./read-job.ts";
import { createRunReporter, type RunReporter } from "./run-reporter.ts";
import { describeFailure } from "./trainer-error.ts";

interface ProgramJob {
  runId: string;
  outputDir: string;
  threads: number;
}

export interface Program<Job extends ProgramJob> {
  /** As one types it, for whoever forgets the job file. */
  usage: string;
  /** @throws Error naming the file and what does not fit */
  readJob(path: string): Job;
  /** @returns false when the signal came before the end */
  work(job: Job, reporter: RunReporter, signal: AbortSignal): Promise<boolean>;
}

const resumable = 75;

/** Whoever started us may be gone: the work goes on, and `metrics.jsonl` tells the rest. */
function send(event: TrainingEvent): void {
  if (process.connected) process.send?.(event, undefined, undefined, () => undefined);
}

async function run<Job extends ProgramJob>(program: Program<Job>, jobFile: string): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
  lowerPriority();
  let job: Job;
  try {
    job = program.readJob(jobFile);
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
    return (await program.work({ ...job, threads }, reporter, stop.signal)) ? 0 : resumable;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    reporter.failed(describeFailure(error));
    return 1;
  }
}

/** Runs the program in this process and leaves its exit code. */
export async function runProgram<Job extends ProgramJob>(program: Program<Job>): Promise<void> {
  const [jobFile] = process.argv.slice(2);
  if (jobFile === undefined) {
    process.stderr.write(`Usage: ${program.usage}\n`);
    process.exitCode = 2;
  } else {
    process.exitCode = await run(program, jobFile);
  }
  // Closing the channel after what was sent through it lets the process end by itself.
  if (process.connected) process.disconnect();
}
