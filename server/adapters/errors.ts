/** A deployment that cannot be; nothing was changed. Callers answer 409 with the code. */
export class DeploymentRefusedError extends Error {
  readonly code: "already_live" | "adapter_rejected" | "not_gated" | "nothing_to_roll_back_to";
  constructor(code: DeploymentRefusedError["code"], message: string) {
    super(message);
    this.code = code;
  }
}
