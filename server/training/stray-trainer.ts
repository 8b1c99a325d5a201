import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Command line of a process; empty where the system does not tell. */
async function commandOf(pid: number): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, "utf8")).replaceAll("\0", " ");
  } catch {
    const answer = await promisify(execFile)("ps", ["-o", "args=", "-p", String(pid)]).catch(() => ({ stdout: "" }));
    return answer.stdout;
  }
}

/**
 * Ends the trainer that a killed server left behind, so that two never write one run's folder.
 * The process must have this job file on its command line: numbers of ended processes are given out again.
 */
export async function stopStrayTrainer(pidFile: string, jobFile: string, killAfterMs: number): Promise<void> {
  const pid = Number(await readFile(pidFile, "utf8").catch(() => ""));
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return;
  const isOurs = async () => isAlive(pid) && (await commandOf(pid)).includes(jobFile);
  if (!(await isOurs())) return;
  process.kill(pid, "SIGTERM");
  const deadline = Date.now() + killAfterMs;
  while (await isOurs()) {
    if (Date.now() > deadline) process.kill(pid, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
