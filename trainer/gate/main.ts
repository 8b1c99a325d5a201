/**
 * The gate's process: `node trainer/gate/main.ts gate.json`.
 *
 * Reports over IPC and in `metrics.jsonl` as the trainer does. Exit code 0: the verdict is in `<outputDir>/verdict.json`,
 * whichever way it went. 1: there is no verdict, and the last event says why. 75: stopped; the same job starts anew.
 */
import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { TrainingEvent } from "../contract.ts";
import { lowerPriority } from "../low-priority.ts";
import { createRunReporter } from "../run-reporter.ts";
import { gate } from "./gate.ts";
import { readGateJob } from "./read-gate-job.ts";

const resumable = 75;

/** Whoever started us may be gone: the gate goes on, and its files tell the rest. */
function send(event: TrainingEvent): void {
  if (process.connected) process.send?.(event, undefined, undefined, () => undefined);
}

async function main(jobFile: string): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
  lowerPriority();
  const job = readGateJob(jobFile);
  mkdirSync(job.outputDir, { recursive: true });
  const reporter = createRunReporter(job, send);
  try {
    const threads = Math.min(job.threads, availableParallelism());
    return (await gate({ ...job, threads }, reporter, stop.signal)) ? 0 : resumable;
  } catch (error) {
    const { code = "failed", message, stack } = error as Error & { code?: string };
    process.stderr.write(`${stack}\n`);
    reporter.failed({ code, message });
    return 1;
  }
}

const [jobFile] = process.argv.slice(2);
if (jobFile === undefined) {
  process.stderr.write("Usage: node trainer/gate/main.ts gate.json\n");
  process.exitCode = 2;
} else {
  process.exitCode = await main(jobFile);
}
// Closing the channel after what was sent through it lets the process end by itself.
if (process.connected) process.disconnect();
