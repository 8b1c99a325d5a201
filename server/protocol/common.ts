/** What the subjects share: who answered, how things end, what goes wrong, pages of lists. */

export interface AdapterIdentity {
  name: string;
  version: number;
  sha256: string;
}

export type FinishReason = "stop" | "length" | "cancelled" | "error";

export interface WireError {
  code: string;
  message: string;
  details?: unknown;
}

export type Ack = { ok: true } | { ok: false; error: WireError };

export interface Page<T> {
  items: T[];
  /** Pass as `cursor` to go on; null at the end. */
  nextCursor: string | null;
  total: number;
}

export interface Interval {
  estimate: number;
  low: number;
  high: number;
}
