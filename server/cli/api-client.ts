import type { ServerStatus, WireError } from "../protocol/index.ts";
import { CliError } from "./output.ts";

/** A running server, addressed as its own pages do. */
export interface ApiClient {
  url: string;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  delete<T>(path: string): Promise<T>;
}

/** A server under load answers late, but it answers. */
const probeTimeoutMs = 3000;

/** Address at which a server with this HOST and PORT is reached from the same machine. */
export function serverUrl(host: string, port: number): string {
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

function isStatus(value: unknown): value is ServerStatus {
  return typeof value === "object" && value !== null && "adapter" in value && "training" in value;
}

/** Null when nothing listens there, or something that is not Rejoinder. */
export async function findServer(url: string): Promise<ApiClient | null> {
  try {
    const response = await fetch(`${url}/api/status`, { signal: AbortSignal.timeout(probeTimeoutMs) });
    if (!response.ok || !isStatus(await response.json())) return null;
  } catch {
    return null;
  }

  async function call<T>(path: string, init: RequestInit): Promise<T> {
    let response: Response;
    try {
      response = await fetch(`${url}${path}`, init);
    } catch (cause) {
      throw new CliError(`The server at ${url} no longer answers`, { cause });
    }
    const answer: unknown = await response.json().catch(() => null);
    if (response.ok) return answer as T;
    const error = (answer as { error?: WireError } | null)?.error;
    const why = error === undefined ? response.statusText : `${error.message} (${error.code})`;
    throw new CliError(`${url}${path} answered ${response.status}: ${why}`);
  }

  return {
    url,
    get: (path) => call(path, {}),
    post: (path, body) =>
      call(path, {
        method: "POST",
        headers: { "content-type": "application/json", "x-rejoinder-client": "cli", "x-operator": "cli" },
        body: JSON.stringify(body),
      }),
    delete: (path) => call(path, { method: "DELETE", headers: { "x-rejoinder-client": "cli", "x-operator": "cli" } }),
  };
}
