import { randomUUID } from "node:crypto";
import { hostname } from "node:os";

/** Queues of this process that are open, to tell them from a dead process that had the same id (containers restart so). */
const openHere = new Set<string>();

/** Names one queue of one process in a job's lock: `host:pid:uuid`. */
export function claimLockOwner(): string {
  const owner = `${hostname()}:${process.pid}:${randomUUID()}`;
  openHere.add(owner);
  return owner;
}

export function forgetLockOwner(owner: string): void {
  openHere.delete(owner);
}

/** True only when it is certain: a process of this machine that no longer exists. On other machines the lock's end decides. */
export function isDeadLockOwner(owner: string): boolean {
  const [host, pid] = owner.split(":");
  if (host !== hostname() || pid === undefined) return false;
  if (Number(pid) === process.pid) return !openHere.has(owner);
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    // EPERM: it lives under another user.
    return error instanceof Error && "code" in error && error.code === "ESRCH";
  }
}
