/** `rejoinder worker` as its own process, for tests across folders. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFolder } from "./running-server.ts";

export interface RunningWorker {
  process: ChildProcess;
  dataDir: string;
  /** Everything it has said so far. */
  said(): string;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** Drops its files. */
  remove(): void;
}

/** Resolves once it takes jobs. @throws Error with its last words if it ends before */
export async function startWorker(
  settings: Record<string, string>,
  dataDir = mkdtempSync(join(tmpdir(), "rejoinder-worker-")),
): Promise<RunningWorker> {
  const child = spawn(process.execPath, [join(projectFolder, "server", "cli", "main.ts"), "worker"], {
    env: { ...process.env, DATA_DIR: dataDir, ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes("Rejoinder works on jobs")) resolve();
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("close", (code) => reject(new Error(`the worker ended with code ${code}:\n${output}`)));
  });
  return {
    process: child,
    dataDir,
    said: () => output,
    async stop(signal = "SIGTERM") {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, "exit");
        child.kill(signal);
        await ended;
      }
      return child.exitCode;
    },
    remove: () => rmSync(dataDir, { recursive: true, force: true }),
  };
}
