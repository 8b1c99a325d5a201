import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { stopStrayTrainer } from "./stray-trainer.ts";
import type { ProgramEnd, ProgramRun, TrainerRunner } from "./trainer-runner.ts";

const keptErrorLines = 20;
const niceness = constants.priority.PRIORITY_BELOW_NORMAL;
const defaultKillAfterMs = 10_000;

/**
 * Runs a trainer program as a child process of low priority to its end.
 * It gets the job file as its only argument and reports over IPC, where NaN survives ("advanced" serialization).
 */
export async function runProgramHere(program: ProgramRun): Promise<ProgramEnd> {
  const { entry, jobFile, outputDir, signal, killAfterMs = defaultKillAfterMs, onMessage } = program;
  const pidFile = join(outputDir, "trainer.pid");
  await stopStrayTrainer(pidFile, jobFile, killAfterMs);
  if (signal.aborted) return { code: null, signal: null, said: "" };

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
  let handled: Promise<void> = Promise.resolve();
  let handlingError: unknown;
  child.on("message", (message) => {
    handled = handled
      .then(() => onMessage(message))
      .catch((error: unknown) => {
        handlingError ??= error;
      });
  });

  try {
    if (child.pid !== undefined) {
      lowerPriority(child.pid);
      await writeFile(pidFile, String(child.pid));
    }
    const [code, killedBy] = (await ended) as [number | null, string | null];
    await handled;
    if (handlingError !== undefined) throw handlingError;
    return { code, signal: killedBy, said: errorLines.join("\n").trim() };
  } finally {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    clearTimeout(killTimer);
    signal.removeEventListener("abort", stop);
  }
}

/** Runs programs on this machine. */
export const localRunner: TrainerRunner = { run: runProgramHere };

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
