/**
 * Where server and trainer meet: a job (a frozen snapshot of exchanges in, an adapter folder out) and the events a
 * running job reports. The trainer never opens the server's database; the server never computes a gradient.
 */

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

export interface PpoSettings {
  epochs: number;
  /** Exchanges in one optimizer step. */
  batchSize: number;
  learningRate: number;
  /** Clip range of current/old, both sides. */
  clipRange: number;
  /** Cap of the detached token weight old/behaviour. */
  maxImportanceWeight: number;
  /** Exchanges whose adapter is more versions behind than this are left out. */
  maxStaleness: number;
  gamma: number;
  lambda: number;
  /** Start value of the KL coefficient and the KL (nats a reply) that it is steered to. */
  klCoefficient: number;
  klTarget: number;
  klHorizon: number;
  /** Stop the epoch when the approximate KL of current to old passes this. */
  earlyStopKl: number;
  maxGradientNorm: number;
  valueWarmupSteps: number;
  /** LoRA shape when no parent adapter is given. */
  rank: number;
  alpha: number;
  seed: number;
}

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
  /** JSONL of ExchangeRecord, frozen. */
  snapshot: string;
  /** Folder of this run: checkpoint, metrics.jsonl and `adapter/` (the result) are written there. */
  outputDir: string;
  /** Version number the result will carry, given by the registry. */
  version: number;
  rewardVersion: string;
  threads: number;
  settings: Partial<PpoSettings>;
}

/** Sent by the trainer process over IPC, and appended to `metrics.jsonl` in the run's folder. */
export type TrainingEvent =
  | { type: "started"; runId: string; exchanges: number; discarded: Record<string, number>; steps: number }
  | { type: "metric"; runId: string; step: number; steps: number; values: Record<string, number> }
  | { type: "succeeded"; runId: string; adapterFolder: string; sha256: string; metrics: Record<string, number> }
  | { type: "failed"; runId: string; error: { code: string; message: string } };
