import { RequestError } from "../request-error.ts";

/** A deployment that cannot be; nothing was changed. */
export class DeploymentRefusedError extends RequestError {
  constructor(code: "already_live" | "adapter_rejected" | "nothing_to_roll_back_to", message: string) {
    super(409, code, message);
  }
}
