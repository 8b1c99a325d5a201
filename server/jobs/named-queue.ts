import type { Job, JobQueue } from "../ports.ts";

export type JobState = "waiting" | "active" | "done" | "failed" | "cancelled";

export interface JobStatus {
  id: string;
  kind: string;
  payload: unknown;
  state: JobState;
  /** Starts so far, those that a closing queue let go of not counted. */
  attempts: number;
  maxAttempts: number;
  /** What the job last reported; null before it has. */
  progress: unknown;
  /** What the last failed attempt threw. */
  lastError: string | null;
}

export interface AddJobOptions {
  /** Failed attempts after which the job is given up. Default 1. */
  maxAttempts?: number;
  notBefore?: Date;
  /** Chosen by the caller; adding the same id again changes nothing. Default: a random one. */
  id?: string;
}

export interface ProcessOptions {
  /**
   * True (the default): one job of this kind at a time among all queues that share the jobs, and a job once begun keeps
   * its turn while it waits for its next attempt. False: one at a time in each queue, as many as there are queues.
   * All queues must say the same of one kind.
   */
  exclusive?: boolean;
}

export interface NewSchedule {
  kind: string;
  /** Five or six fields, in the local time of the process that computes the next time. */
  cron: string;
  payload?: unknown;
}

export interface Schedule extends Required<NewSchedule> {
  key: string;
  /** Null when the expression names no time to come. */
  nextAt: Date | null;
}

export type JobHandler = (job: Job, signal: AbortSignal) => Promise<void>;

/**
 * The jobs port for callers that name their jobs. An id that the caller chose can be written down before the job is
 * added, so a process that dies in between adds it again at its next start instead of losing or doubling it.
 */
export interface NamedJobQueue extends JobQueue {
  add(kind: string, payload: unknown, options?: AddJobOptions): Promise<string>;
  process(kind: string, handler: JobHandler, options?: ProcessOptions): void;
  get(id: string): Promise<JobStatus | null>;
  /** Newest first. */
  list(kind: string, limit?: number): Promise<JobStatus[]>;
  /**
   * Tells of this job as it is now and after each change (state, attempt, progress), whoever made it. Changes that come
   * close together may be told as one. Returns what ends it.
   */
  watch(id: string, listener: (status: JobStatus) => void): () => void;
  /**
   * Adds a job of this kind at these times, once however many queues share the schedule, while some queue processes the
   * kind. Times that passed while none did are made up for by one job. The same key again replaces the schedule; with
   * the same expression its next time stands. @throws when it is no cron expression
   */
  schedule(key: string, schedule: NewSchedule): Promise<void>;
  /** False when there was none. A job that it has added already stays. */
  unschedule(key: string): Promise<boolean>;
  /** By key. */
  schedules(): Promise<Schedule[]>;
}

/** Reason of a job's abort signal: somebody cancelled it, or the queue closes and will take it up again. */
export class JobInterruptedError extends Error {
  readonly interruption: "cancelled" | "closing";
  constructor(interruption: JobInterruptedError["interruption"]) {
    super(interruption === "cancelled" ? "The job was cancelled" : "The queue is closing");
    this.interruption = interruption;
  }
}

/** Thrown by a handler whose job would fail the same way again: no further attempt is made. */
export class UnretryableJobError extends Error {}
