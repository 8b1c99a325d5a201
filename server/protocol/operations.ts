/** Namespace /ops, and the status of the server. */
import type { AdapterState, Deployment, Trial, TrialComparison } from "./adapters.ts";
import type { AdapterIdentity } from "./common.ts";
import type { MetricEvent, TrainingRun } from "./training.ts";

export interface AlertEvent {
  at: string;
  code: string;
  message: string;
}

/** Namespace /ops; the server pushes, operators act through HTTP. */
export interface OpsServerEvents {
  run: (run: TrainingRun) => void;
  metric: (event: MetricEvent) => void;
  deployment: (event: Deployment) => void;
  alert: (event: AlertEvent) => void;
}

export interface ServerStatus {
  version: string;
  model: { id: string; architecture: string; parameters: number; quantization: string; device: string };
  adapter: AdapterIdentity & { state: AdapterState | "base" };
  /** The candidate in shadow or canary; null when there is none. */
  trial: (Trial & { comparison: TrialComparison }) | null;
  reward: { name: string; version: string };
  training: { state: "idle" | "running"; runId: string | null };
}
