/** A run that cannot go on, with the code its record gets. */
export class TrainerError extends Error {
  readonly code:
    | "bad_job"
    | "bad_snapshot"
    | "tampered_snapshot"
    | "bad_prompts"
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
