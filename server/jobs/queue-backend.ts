/** Where jobs are kept. What a queue does with them is the same everywhere and lies in `queue-loop.ts`. */
import type { JobStatus, Schedule } from "./named-queue.ts";

export interface NewJob {
  id: string;
  kind: string;
  payload: unknown;
  maxAttempts: number;
  notBefore: Date | null;
}

/** A job that this queue holds the lock of. */
export interface HeldJob {
  id: string;
  kind: string;
  payload: unknown;
  /** This one included. */
  attempts: number;
  maxAttempts: number;
  exclusive: boolean;
}

/** How an attempt ended. `released` gives it back to be taken up next, and does not count. */
export type Settlement =
  | { state: "done" }
  | { state: "failed"; error: string }
  | { state: "retry"; error: string; delayMs: number }
  | { state: "released" };

/** `added`: the kind may have a job to take, a new one or one that had to wait. */
export type JobEvent = { type: "added"; kind: string } | { type: "changed"; id: string };

/** Every step is atomic: two processes that take it at once leave the jobs as if one had come after the other. */
export interface QueueBackend {
  /** Leaves a job of the same id as it is. */
  insert(job: NewJob): Promise<void>;
  /**
   * Puts jobs whose worker is gone back in line, ahead of all others, then takes the next that is due. Null when there is
   * none or when the kind is exclusive and another queue works on it.
   */
  claim(kind: string, exclusive: boolean): Promise<HeldJob | null>;
  /** Keeps the lock. `lost`: another has it now, or may have. */
  renew(job: HeldJob): Promise<"kept" | "cancelled" | "lost">;
  /** Gives the lock back. A job that was cancelled or lost meanwhile stays as it is. */
  settle(job: HeldJob, settlement: Settlement): Promise<void>;
  setProgress(id: string, progress: unknown): Promise<void>;
  /** An active job keeps its kind busy until its worker has settled. False when it had ended or never was. */
  cancel(id: string): Promise<boolean>;
  get(id: string): Promise<JobStatus | null>;
  list(kind: string, limit: number): Promise<JobStatus[]>;

  putSchedule(schedule: Schedule): Promise<void>;
  removeSchedule(key: string): Promise<boolean>;
  schedules(): Promise<Schedule[]>;
  /** Sets the next time unless somebody has already moved it on from `schedule.nextAt`. */
  advanceSchedule(schedule: Schedule, nextAt: Date | null): Promise<void>;

  /** Told of what other processes do, where the backend hears of it; the loop looks by itself besides. */
  onEvent(listener: (event: JobEvent) => void): void;
  close(): Promise<void>;
}

/**
 * Workers of one job that may die before it is given up: a job that takes its process down would otherwise do so for
 * ever. Counted on top of the attempts that may fail.
 */
export const mostLostWorkers = 10;
export const lostWorkersError = "Given up: its worker died too many times";

/** How long a lock holds without being renewed, ms; it is renewed three times as often. */
export const defaultLockMs = 30_000;
