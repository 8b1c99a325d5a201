/** A run that cannot go on, with the code its record gets. */
export class TrainerError extends Error {
  readonly code:
    | "bad_job"
    | "bad_snapshot"
    | "too_few_exchanges"
    | "no_signal"
    | "wrong_parent"
    | "non_finite"
    | "bad_prompts"
    | "too_few_prompts"
    | "wrong_adapter"
    | "judge_failed";
  constructor(code: TrainerError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
