import type { JobQueue } from "../ports.ts";

export type JobState = "waiting" | "active" | "done" | "failed" | "cancelled";

export interface JobStatus {
  id: string;
  kind: string;
  payload: unknown;
  state: JobState;
  /** Starts so far, those that a closing queue let go of not counted. */
  attempts: number;
  maxAttempts: number;
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

/**
 * The jobs port for callers that name their jobs. An id that the caller chose can be written down before the job is
 * added, so a process that dies in between adds it again at its next start instead of losing or doubling it.
 */
export interface NamedJobQueue extends JobQueue {
  add(kind: string, payload: unknown, options?: AddJobOptions): Promise<string>;
  get(id: string): Promise<JobStatus | null>;
  /** Newest first. */
  list(kind: string, limit?: number): Promise<JobStatus[]>;
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
