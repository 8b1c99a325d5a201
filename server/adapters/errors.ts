/** A deployment that cannot be; nothing was changed. Callers answer 409 with the code. */
export class DeploymentRefusedError extends Error {
  readonly code:
    | "already_live"
    | "already_on_trial"
    | "adapter_rejected"
    | "base_is_no_candidate"
    | "not_gated"
    | "not_on_trial"
    | "nothing_to_roll_back_to"
    | "trial_under_way"
    | "verdict_outdated";
  constructor(code: DeploymentRefusedError["code"], message: string) {
    super(message);
    this.code = code;
  }
}
