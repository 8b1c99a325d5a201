/**
 * Where server and trainer meet: a job (a frozen snapshot of exchanges in, an adapter folder out) and the events a
 * running job reports. The trainer never opens the server's database; the server never computes a gradient.
 */

import type { GateLimits } from "./gate/limits.ts";
import type { PpoSettings, RolloutSettings, SftSettings } from "./settings.ts";

export { defaultGateLimits, type GateLimits } from "./gate/limits.ts";

export {
  type PpoSettings,
  ppoSettingsSchema,
  type RolloutSettings,
  rolloutShape,
  type SftSettings,
  sftSettingsSchema,
} from "./settings.ts";

/** One logged exchange as it stands in a snapshot (a line of JSON) and in exports. */
export interface ExchangeRecord {
  id: string;
  conversationId: string;
  createdAt: string;
  messages: { role: "system" | "user" | "assistant"; content: string }[];
  reply: string;
  promptTokens: number[];
  /** Sampled ids, end token included; log-probs are aligned with it. */
  replyTokens: number[];
  /** Log-probs (nats) under the distribution really sampled from. */
  logProbs: number[];
  sampling: { temperature: number; topK: number; topP: number; repetitionPenalty: number; seed: number };
  finishReason: "stop" | "length" | "cancelled" | "error";
  adapter: { name: string; version: number; sha256: string };
  toxicity: { prompt: number; reply: number };
  reward: { version: string; total: number; terms: Record<string, number> };
  annotations: {
    label: "toxic" | "off_topic" | "evasive" | "good" | "ok";
    severity?: number;
    note?: string;
    rewrite?: string;
    annotator: string;
    createdAt: string;
  }[];
  consent: boolean;
}

/**
 * Where PPO's replies come from: the log, or the policy itself as it is at the beginning of each round. `prompts` is a
 * file of JSON lines `{messages}`; null takes the prompts of the snapshot's exchanges. `reward` is what the server's REWARD
 * setting takes, null for the default; its version must be the job's `rewardVersion`.
 */
export type Rollouts =
  | { source: "log" }
  | ({ source: "fresh"; prompts: string | null; reward: string | null } & Partial<RolloutSettings>);

export interface TrainingJob {
  runId: string;
  algorithm: "ppo" | "sft";
  /** Checkpoint folder of the base model. */
  model: string;
  /** Precision of the base model's frozen weights, that of the server: what is trained is what is served. Default "none". */
  quantization?: "none" | "int8" | "int4";
  /** Where quantized weights are kept when they cannot lie beside the checkpoint. Default: the user's cache folder. */
  cacheDir?: string;
  /** PEFT folder that the run continues from; null starts a new adapter on the base. */
  parentAdapter: { folder: string; name: string; version: number; sha256: string } | null;
  /** JSONL of ExchangeRecord, frozen, and the sha256 of its bytes. */
  snapshot: string;
  snapshotSha256: string;
  /** Every adapter that the registry knows: PPO leaves out what any other is said to have written. */
  knownAdapters: { version: number; sha256: string }[];
  /** For PPO. Default: the log. */
  rollouts?: Rollouts;
  /** Folder of this run: checkpoint, metrics.jsonl, steps.jsonl and `adapter/` (the result) are written there. */
  outputDir: string;
  /** Version number the result will carry, given by the registry. */
  version: number;
  rewardVersion: string;
  threads: number;
  /** What the algorithm named above understands; see settings.ts. */
  settings: Partial<PpoSettings & SftSettings>;
}

/**
 * A line of `steps.jsonl` in the run's folder: which exchanges went into an optimizer step that was taken. Steps rise, and
 * each has one line however often the run was stopped and resumed. Fresh rollouts name the exchanges whose prompts were
 * answered; what a user's own files brought has no id. An adapter of fine-tuning is the one after the step that its metric
 * `bestStep` names; later steps did not reach it.
 */
export interface TrainingStep {
  step: number;
  exchanges: string[];
}

/** Sent by the trainer process over IPC, and appended to `metrics.jsonl` in the run's folder. */
export type TrainingEvent =
  | { type: "started"; runId: string; exchanges: number; discarded: Record<string, number>; steps: number }
  | { type: "metric"; runId: string; step: number; steps: number; values: Record<string, number> }
  | { type: "succeeded"; runId: string; adapterFolder: string; sha256: string; metrics: Record<string, number> }
  | { type: "failed"; runId: string; error: { code: string; message: string } };

/** An adapter on disk. */
export interface AdapterOnDisk {
  folder: string;
  name: string;
  version: number;
  sha256: string;
}

/** What `node trainer/gate/main.ts gate.json` takes. Reports `TrainingEvent`s; the verdict is in `<outputDir>/verdict.json`. */
export interface GateJob {
  runId: string;
  /** Checkpoint folder of the base model, the precision of its weights and where quantized ones are kept. */
  model: string;
  quantization?: TrainingJob["quantization"];
  cacheDir?: string;
  candidate: AdapterOnDisk;
  /** What the candidate would replace; null is the base model. */
  baseline: AdapterOnDisk | null;
  /** JSONL files of held-out prompts, `{text | messages, reply?}`; a `reply` by a person has its perplexity measured. */
  prompts: string[];
  /** JSON of `{sentences, groups}`: each sentence is asked with each group in the place of its `{g}`; null asks none. */
  swaps: string | null;
  /** JSONL of ExchangeRecord from conversations that never train: more prompts, and the off-policy estimate. */
  heldOut: string | null;
  /** Folder of the classifier that judges. */
  judge: string;
  /** As REWARD: a folder or a configuration file; null is the default reward. */
  reward: string | null;
  /** What replies should be in, by ISO 639-1 code. */
  language: string;
  systemPrompt?: string;
  /** As served. */
  sampling: { temperature: number; topK: number; topP: number; repetitionPenalty: number };
  maxTokens: number;
  limits: GateLimits;
  /** Mean |served - trained| log-prob (nats) on the sample stored with the candidate, and what it may be; null without. */
  probe: { difference: number; limit: number } | null;
  outputDir: string;
  threads: number;
  seed: number;
}

/** One question that the gate asked. */
export interface GateCheck {
  name: string;
  passed: boolean;
  candidate: number | null;
  baseline: number | null;
  /** Candidate to baseline; what it is (difference or ratio) stands in `unit`. */
  difference: { estimate: number; low: number; high: number } | null;
  /** Null: reported, not judged. */
  limit: number | null;
  unit: string;
  /** Prompts, or replies, that it rests on. */
  n: number;
  explanation: string;
}

/** `verdict.json`. */
export interface GateVerdict {
  passed: boolean;
  at: string;
  /** Whose replies were compared. */
  candidate: { name: string; version: number; sha256: string };
  baseline: { name: string; version: number; sha256: string } | null;
  judge: { name: string; version: string };
  prompts: number;
  checks: GateCheck[];
  offPolicy: {
    estimate: number;
    low: number;
    high: number;
    truncated: number;
    effectiveSampleSize: number;
    n: number;
    baseline: number;
  } | null;
  summary: string;
}
