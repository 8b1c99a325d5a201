import { describeError } from "../../error-description.ts";

export interface OpenAiError {
  status: number;
  body: { error: { message: string; type: string; param: string | null; code: string | null } };
}

function typeOf(status: number): string {
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

function paramOf(details: unknown): string | null {
  if (typeof details !== "object" || details === null || !("param" in details)) return null;
  return typeof details.param === "string" && details.param !== "" ? details.param : null;
}

/** An error in the words of OpenAI's API. */
export function toOpenAiError(error: unknown): OpenAiError {
  const { status, error: told } = describeError(error);
  const { code, message, details } = told;
  return { status, body: { error: { message, type: typeOf(status), param: paramOf(details), code } } };
}
