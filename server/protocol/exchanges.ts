/** The exchange log: reading it, consent, re-scoring, lineage and erasure. */
import type { AdapterState, AdapterSummary } from "./adapters.ts";
import type { Annotation } from "./annotation.ts";
import type { ReplyToxicity } from "./chat.ts";
import type { AdapterIdentity, FinishReason } from "./common.ts";
import type { RunState, TrainingRun } from "./training.ts";

export interface ExchangeSummary {
  id: string;
  conversationId: string;
  createdAt: string;
  messages: { role: "system" | "user" | "assistant"; content: string }[];
  reply: string;
  finishReason: FinishReason | null;
  adapter: AdapterIdentity;
  toxicity: ReplyToxicity | null;
  reward: { version: string; total: number; terms: Record<string, number> } | null;
  feedback: number;
  consent: boolean;
  annotations: Annotation[];
}

/** Body of PUT /api/exchanges/:id/consent. */
export interface ConsentRequest {
  consent: boolean;
}

/** Answer of PUT /api/exchanges/:id/consent. */
export interface ConsentChange {
  exchangeId: string;
  consent: boolean;
  /** Adapters that were trained on the exchange before, by descent too. */
  adapters: AdapterIdentity[];
}

/** Answer of POST and GET /api/rewards/re-score. */
export interface RescoreStatus {
  /** `idle`: nothing was ever asked for under this version. */
  state: "idle" | "waiting" | "running" | "done" | "failed";
  /** The reward version that history is brought to. */
  version: string;
  /** Complete exchanges scored under it, and all complete exchanges. */
  scored: number;
  total: number;
  error: string | null;
}

/** One use of an exchange by a training run. */
export interface ExchangeUse {
  runId: string;
  algorithm: TrainingRun["algorithm"];
  state: RunState;
  takenAt: string;
  /** What the exchange was worth to the run. */
  reward: number;
  /** Optimizer steps that used it; null when the run did not write its steps down. */
  steps: number[] | null;
  result: AdapterIdentity | null;
}

/** GET /api/lineage/exchanges/:id */
export interface ExchangeLineage {
  exchangeId: string;
  consent: boolean;
  /** The adapter that wrote the reply. */
  writtenBy: AdapterIdentity;
  uses: ExchangeUse[];
  /** Adapters trained on it: by a run of their own (`direct`), or because they descend from one that was. */
  adapters: (AdapterIdentity & { state: AdapterState; direct: boolean })[];
}

/** GET /api/lineage/adapters/:version */
export interface AdapterLineage {
  adapter: AdapterSummary;
  /** The run that made it; null for an imported one. */
  run: TrainingRun | null;
  /** What its run was given, most used first; at most the asked number of `exchangeCount`. */
  exchanges: { exchangeId: string; reward: number; steps: number | null; consent: boolean }[];
  exchangeCount: number;
  /** Of those, how many have had their consent withdrawn since. */
  withdrawn: number;
  /** Nearest first. */
  ancestors: AdapterIdentity[];
  descendants: AdapterIdentity[];
}

/** Answer of DELETE /api/users/:id/data. */
export interface ErasureReport {
  conversations: number;
  exchanges: number;
  annotations: number;
  /** Runs that had used something of it. */
  runs: string[];
  /** Runs that were under way with it, and what was started in their place. */
  restarted: { cancelled: string; started: string }[];
  /** Adapters trained on something of it, directly or by descent. */
  adapters: AdapterIdentity[];
  /** Whether the live adapter is one of them. */
  live: boolean;
  /** Whether copies in files are left to be removed at the server's next start. */
  pending: boolean;
}
