import type { NamedJobQueue, NewSchedule, Schedule } from "./named-queue.ts";
import type { QueueBackend } from "./queue-backend.ts";
import { nextTime } from "./schedule-times.ts";

interface SchedulerOptions {
  now: () => Date;
  add: NamedJobQueue["add"];
  /** Whether this queue processes the kind. */
  handles: (kind: string) => boolean;
}

/**
 * Adds the jobs of schedules whose time has come. A job is named for its schedule and time, so that several queues that
 * see one time pass add one job; only then is the schedule moved on, so that a process that dies in between misses none.
 */
export function createScheduler(backend: QueueBackend, { now, add, handles }: SchedulerOptions) {
  return {
    async schedule(key: string, { kind, cron, payload = null }: NewSchedule): Promise<void> {
      const nextAt = nextTime(cron, now());
      const before = (await backend.schedules()).find((schedule) => schedule.key === key);
      const isSame = before?.cron === cron && before.kind === kind;
      await backend.putSchedule({ key, kind, cron, payload, nextAt: isSame ? before.nextAt : nextAt });
    },

    async fireDue(): Promise<void> {
      const at = now();
      const isDue = ({ kind, nextAt }: Schedule) => nextAt !== null && nextAt <= at && handles(kind);
      for (const schedule of (await backend.schedules()).filter(isDue)) {
        const { key, kind, cron, payload, nextAt } = schedule;
        await add(kind, payload, { id: `${key}@${nextAt?.toISOString()}` });
        await backend.advanceSchedule(schedule, nextTime(cron, at));
      }
    },
  };
}
