import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setPriority } from "node:os";
import { dirname, join } from "node:path";
import type { TrainingEvent } from "../../trainer/contract.ts";
import { stopStrayTrainer } from "./stray-trainer.ts";
import { parseTrainingEvent } from "./trainer-events.ts";

export interface TrainerProcessOptions {
  /** The trainer's entry file. */
  entry: string;
  /** Its job.json; the folder it lies in also takes the process id. */
  jobFile: string;
  runId: string;
  /** Stops the trainer: SIGTERM, by which it keeps a checkpoint, and SIGKILL when it does not end. */
  signal: AbortSignal;
  /** Time between the two, ms. Default 10000. */
  killAfterMs?: number;
  /** Called in the order of the events; the next one waits. */
  onEvent: (event: TrainingEvent) => Promise<void>;
}

export type TrainerOutcome =
  | { type: "succeeded"; event: Extract<TrainingEvent, { type: "succeeded" }> }
  /** The trainer itself says why it cannot go on. */
  | { type: "failed"; error: { code: string; message: string } }
  /** It ended resumable: on our signal, or on one from outside. */
  | { type: "stopped" }
  | { type: "crashed"; message: string };

/** Exit code of a trainer that kept a checkpoint and wants to be started again (EX_TEMPFAIL of sysexits.h). */
const resumableExitCode = 75;
const keptErrorLines = 20;
const niceness = 10;

/**
 * Runs the trainer as a child process of low priority to its end.
 * It gets the job file as its only argument and reports over IPC, where NaN survives ("advanced" serialization).
 */
export async function runTrainer(options: TrainerProcessOptions): Promise<TrainerOutcome> {
  const { entry, jobFile, runId, signal, killAfterMs = 10_000, onEvent } = options;
  const pidFile = join(dirname(jobFile), "trainer.pid");
  await stopStrayTrainer(pidFile, jobFile, killAfterMs);
  if (signal.aborted) return { type: "stopped" };

  const child = spawn(process.execPath, [entry, jobFile], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    serialization: "advanced",
    // A group of its own: Ctrl+C in the server's terminal reaches the server alone, which then stops the trainer in order.
    detached: true,
    windowsHide: true,
  });
  const ended = once(child, "close");
  ended.catch(() => undefined);
  let killTimer: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill("SIGTERM");
    killTimer = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  };
  signal.addEventListener("abort", stop, { once: true });

  let errorLines: string[] = [];
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    const lines = ((errorLines.pop() ?? "") + text).split("\n");
    errorLines = [...errorLines, ...lines].slice(-keptErrorLines - 1);
  });
  let last: TrainingEvent | undefined;
  let handled: Promise<void> = Promise.resolve();
  let handlingError: unknown;
  child.on("message", (message) => {
    const event = parseTrainingEvent(message, runId);
    if (event === null) return;
    last = event;
    handled = handled
      .then(() => onEvent(event))
      .catch((error: unknown) => {
        handlingError ??= error;
      });
  });

  try {
    if (child.pid !== undefined) {
      lowerPriority(child.pid);
      await writeFile(pidFile, String(child.pid));
    }
    const [code, killedBy]: unknown[] = await ended;
    await handled;
    if (handlingError !== undefined) throw handlingError;
    if (last?.type === "succeeded" && code === 0) return { type: "succeeded", event: last };
    if (last?.type === "failed") return { type: "failed", error: last.error };
    if (signal.aborted || code === resumableExitCode) return { type: "stopped" };
    const how = killedBy === null ? `exit code ${code}` : `signal ${killedBy}`;
    const said = errorLines.join("\n").trim();
    return { type: "crashed", message: `The trainer ended with ${how}${said === "" ? "" : `:\n${said}`}` };
  } finally {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    clearTimeout(killTimer);
    signal.removeEventListener("abort", stop);
  }
}

/** The trainer does so itself when it starts; here it also holds while Node is still loading it. */
function lowerPriority(pid: number): void {
  const attempts = [
    () => setPriority(pid, niceness),
    // Linux shares the processor between sessions before it looks at niceness, and a detached child has its own session.
    () => writeFileSync(`/proc/${pid}/autogroup`, String(niceness)),
  ];
  for (const attempt of attempts) {
    try {
      attempt();
    } catch {
      // The process has ended already, or the system has or allows no such thing: training works all the same.
    }
  }
}
