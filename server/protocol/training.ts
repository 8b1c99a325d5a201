/** Training runs. */
import type { AdapterIdentity, WireError } from "./common.ts";

export type RunState = "queued" | "running" | "gating" | "succeeded" | "rejected" | "failed" | "cancelled";

export interface TrainingRun {
  id: string;
  algorithm: "ppo" | "sft";
  state: RunState;
  trigger: "api" | "cli" | "cron" | "threshold";
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  parent: AdapterIdentity | null;
  /** The adapter that came out; null until then. */
  result: AdapterIdentity | null;
  exchanges: number;
  /** Optimizer steps; while the state is `gating`, prompts that the gate has had answered. */
  step: number;
  steps: number;
  metrics: Record<string, number>;
  error: WireError | null;
}

export interface MetricEvent {
  runId: string;
  step: number;
  steps: number;
  values: Record<string, number>;
}

/** GET /api/training/runs/:id; the list route answers Page<TrainingRun>, newest first. */
export interface TrainingRunDetail extends TrainingRun {
  /** Every metric reported so far, oldest first: the points of the run's curves. */
  history: MetricEvent[];
}

/** Answer of POST /api/training/runs (202). */
export interface TrainingRunAccepted {
  id: string;
}
