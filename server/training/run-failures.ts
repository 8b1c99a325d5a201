/** How a run fails: for good, or in a way that may have passed when it is started again. */
import { UnretryableJobError } from "../jobs/named-queue.ts";

/** A run that cannot go on, with the code its record gets. */
export class RunFailedError extends UnretryableJobError {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A failure after which the next start goes on from the checkpoint. */
export class PassingFailureError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const passingFailures = new Set(["reward_failed", "cannot_save"]);

/** What the trainer failed with, as the error it is here. */
export function trainerFailure({ code, message }: { code: string; message: string }): Error {
  return passingFailures.has(code) ? new PassingFailureError(code, message) : new RunFailedError(code, message);
}
