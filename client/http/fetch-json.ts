/** Requests to the server's own HTTP interface, whose errors are `{error: {code, message, details?}}`. */
import type { WireError } from "../../server/protocol/index.ts";

export class HttpError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, error: WireError) {
    super(error.message);
    this.name = "HttpError";
    this.status = status;
    this.code = error.code;
  }
}

export interface JsonRequest {
  method?: "GET" | "POST" | "DELETE";
  headers?: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal;
}

/**
 * The answer's body as JSON.
 * @throws HttpError for every answer that is not 2xx, also where its body is not the server's (a proxy's page)
 */
export async function fetchJson<Body>(path: string, request: JsonRequest = {}): Promise<Body> {
  const { method = "GET", headers, body, signal } = request;
  const response = await fetch(path, {
    method,
    headers: { accept: "application/json", ...(body === undefined ? {} : jsonBody), ...headers },
    body: body === undefined ? null : JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
  if (!response.ok) throw new HttpError(response.status, await readError(response));
  return (await response.json()) as Body;
}

const jsonBody = { "content-type": "application/json" };

async function readError(response: Response): Promise<WireError> {
  const unexpected = { code: "unexpected", message: `The server answered ${response.status} ${response.statusText}.` };
  const body: unknown = await response.json().catch(() => null);
  const error = (body as { error?: Partial<WireError> } | null)?.error;
  return typeof error?.message === "string" ? { ...unexpected, ...error, message: error.message } : unexpected;
}
