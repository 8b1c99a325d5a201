/** A real server in its own process, for tests and benchmarks. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const projectFolder = join(import.meta.dirname, "..", "..");

export interface RunningServer {
  url: string;
  process: ChildProcess;
  dataDir: string;
  /** Milliseconds from start to the line that says it listens. */
  readyAfter: number;
  /** Bytes of resident memory now. */
  residentMemory(): number;
  /** Ends the process as an operator would; its data stays until `remove`. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  remove(): void;
}

/** @throws Error with the server's own last words if it ends before it is ready */
export async function startServer(
  settings: Record<string, string> = {},
  dataDir = mkdtempSync(join(tmpdir(), "rejoinder-")),
): Promise<RunningServer> {
  const began = performance.now();
  const recommended = JSON.parse(readFileSync(join(projectFolder, "scripts", "server-environment.json"), "utf8"));
  const child = spawn(process.execPath, [join(projectFolder, "server", "main.ts")], {
    cwd: projectFolder,
    env: {
      ...recommended,
      ...process.env,
      PORT: "0",
      HOST: "127.0.0.1",
      LOG_LEVEL: "warn",
      DATA_DIR: dataDir,
      ...settings,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-20_000);
      const match = /Rejoinder is listening on (http:\/\/\S+)/.exec(output);
      if (match?.[1] !== undefined) resolve(match[1]);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", (code) =>
      reject(new Error(`the server ended with code ${code} before it was ready:\n${output}`)),
    );
  });
  return {
    url,
    process: child,
    dataDir,
    readyAfter: performance.now() - began,
    residentMemory() {
      const status = `/proc/${child.pid}/status`;
      if (!existsSync(status)) throw new Error("resident memory of another process is read from /proc, on Linux only");
      return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(status, "utf8"))?.[1]);
    },
    async stop(signal = "SIGTERM") {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill(signal);
      await ended;
    },
    remove: () => rmSync(dataDir, { recursive: true, force: true }),
  };
}
