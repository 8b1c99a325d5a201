import { z } from "zod";
import { CheckpointError, EngineBusyError, EngineRequestError } from "../engine/types.ts";
import { DeploymentRefusedError } from "./adapters/errors.ts";
import { UnknownAdapterError } from "./ports.ts";
import type { WireError } from "./protocol/index.ts";
import { RequestError } from "./request-error.ts";

export interface ErrorDescription {
  status: number;
  error: WireError;
}

/** body-parser's errors carry a type and a status of their own. */
const bodyErrors: Record<string, WireError> = {
  "entity.too.large": { code: "body_too_large", message: "The request body is too large." },
  "entity.parse.failed": { code: "invalid_json", message: "The request body is not valid JSON." },
  "encoding.unsupported": { code: "unsupported_encoding", message: "The request body's encoding is not supported." },
  "charset.unsupported": { code: "unsupported_charset", message: "The request body's character set is not supported." },
};

/**
 * The one place where a thrown value becomes what a caller is told. What is not known to be the caller's doing is
 * shown as `internal` and nothing more.
 */
export function describeError(error: unknown): ErrorDescription {
  if (error instanceof RequestError) {
    const { status, code, message, details } = error;
    return { status, error: { code, message, ...(details === undefined ? {} : { details }) } };
  }
  if (error instanceof EngineBusyError) {
    return { status: 503, error: { code: "busy", message: "Too many replies are under way; try again in a moment." } };
  }
  if (error instanceof EngineRequestError) return { status: 400, error: { code: error.code, message: error.message } };
  if (error instanceof UnknownAdapterError) return { status: 404, error: { code: error.code, message: error.message } };
  if (error instanceof DeploymentRefusedError) {
    return { status: 409, error: { code: error.code, message: error.message } };
  }
  if (error instanceof CheckpointError) return { status: 422, error: { code: error.code, message: error.message } };
  if (error instanceof z.ZodError) {
    return { status: 400, error: { code: "invalid_request", message: z.prettifyError(error), details: error.issues } };
  }
  if (error instanceof Error && "type" in error && typeof error.type === "string" && "status" in error) {
    const known = bodyErrors[error.type];
    if (known !== undefined) return { status: Number(error.status), error: known };
  }
  if (error instanceof URIError) {
    return { status: 400, error: { code: "invalid_request", message: "The address is not well-formed." } };
  }
  return { status: 500, error: { code: "internal", message: "Something went wrong on the server." } };
}
