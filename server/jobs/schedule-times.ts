import { Cron } from "croner";

/** @returns the first time after `from` that the expression names, in local time; null when there is none. @throws when it is no cron expression */
export function nextTime(cron: string, from: Date): Date | null {
  try {
    return new Cron(cron, { paused: true }).nextRun(from);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`"${cron}" is not a cron expression: ${why}`, { cause });
  }
}
