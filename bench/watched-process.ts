/** A script in a process of its own, whose memory is watched and bounded: the machine is not to run out of it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";

/** Milliseconds between two looks. */
const interval = 20;

export interface Watched {
  /** What the script printed. */
  output: string;
  /** Most memory seen that is in no file. */
  peakAnonymousBytes: number;
}

function anonymousBytes(pid: number): number {
  const status = `/proc/${pid}/status`;
  if (!existsSync(status)) return 0;
  return 1024 * Number(/RssAnon:\s+(\d+)/.exec(readFileSync(status, "utf8"))?.[1] ?? 0);
}

/** @throws Error when it fails, or with more anonymous memory than `mostBytes`, for which it is ended */
export async function runWatched(script: string, args: readonly string[], mostBytes: number): Promise<Watched> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [pieces, complaints]: [string[], string[]] = [[], []];
  child.stdout.on("data", (piece: Buffer) => pieces.push(piece.toString()));
  child.stderr.on("data", (piece: Buffer) => complaints.push(piece.toString()));
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, child.pid === undefined ? 0 : anonymousBytes(child.pid));
    if (peak > mostBytes) child.kill("SIGKILL");
  }, interval);
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  clearInterval(timer);
  if (peak > mostBytes) throw new Error(`${script} took more than ${mostBytes / 1e9} GB and was ended`);
  if (code !== 0) throw new Error(`${script} ended with ${code ?? signal}:\n${complaints.join("")}`);
  return { output: pieces.join(""), peakAnonymousBytes: peak };
}
