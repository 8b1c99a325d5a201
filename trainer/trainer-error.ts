/** A run that cannot go on, with the code its record gets. */
export class TrainerError extends Error {
  readonly code:
    | "bad_job"
    | "bad_snapshot"
    | "tampered_snapshot"
    | "bad_prompts"
    | "bad_examples"
    | "too_few_exchanges"
    | "too_few_prompts"
    | "no_signal"
    | "wrong_parent"
    | "wrong_reward"
    | "reward_failed"
    | "non_finite"
    | "cannot_save"
    | "wrong_adapter"
    | "judge_failed";
  constructor(code: TrainerError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Errors of the system that say that a file could not be written, and nothing about what was to be in it. */
const writeErrors = new Set(["ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS", "EACCES", "EPERM"]);

/** What a run's record says of whatever ended it. */
export function describeFailure(error: unknown): { code: string; message: string } {
  const { code = "failed", message, path } = error as NodeJS.ErrnoException;
  if (!writeErrors.has(code)) return { code, message };
  const what = path === undefined ? "a file of the run" : path;
  return {
    code: "cannot_save" satisfies TrainerError["code"],
    message: `${what} could not be written (${message}); what was saved before is intact, and the run can be started again`,
  };
}
