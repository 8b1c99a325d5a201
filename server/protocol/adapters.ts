/** Adapters: their states, the gate's verdicts, deployments and trials. */
import type { AdapterIdentity, Interval } from "./common.ts";

export type AdapterState = "candidate" | "rejected" | "shadow" | "canary" | "live" | "retired";

export interface AdapterSummary extends AdapterIdentity {
  state: AdapterState;
  parent: number | null;
  runId: string | null;
  createdAt: string;
  rank: number;
  alpha: number;
  targetModules: string[];
  metrics: Record<string, number>;
  /** Exchanges erased since that it, or an adapter it descends from, was trained on; null when none were. */
  erasedData: ErasedData | null;
  /** Of the latest gate; null when there was none. */
  verdict: Verdict | null;
}

export interface ErasedData {
  /** When data was last erased. */
  at: string;
  exchanges: number;
}

/** One question that the gate asked of a candidate. */
export interface VerdictCheck {
  name: string;
  passed: boolean;
  candidate: number | null;
  baseline: number | null;
  /** Candidate to baseline with its confidence interval; `unit` says whether it is a difference or a ratio. */
  difference: Interval | null;
  /** Null: reported, not judged. */
  limit: number | null;
  unit: string;
  /** Prompts, or replies, that it rests on. */
  n: number;
  explanation: string;
}

/** What the gate found out about a candidate. */
export interface Verdict {
  passed: boolean;
  at: string;
  candidate: AdapterIdentity;
  /** What it was compared with; null is the base model. */
  baseline: AdapterIdentity | null;
  /** The classifier that judged toxicity, which is not the reward. */
  judge: { name: string; version: string };
  prompts: number;
  checks: VerdictCheck[];
  /** Estimate of the candidate's mean reward on logged replies; null when they are too few or too unlike it. */
  offPolicy: {
    estimate: number;
    low: number;
    high: number;
    /** The same with large weights cut. */
    truncated: number;
    effectiveSampleSize: number;
    n: number;
    /** Mean logged reward. */
    baseline: number;
  } | null;
  summary: string;
}

/** Answer of POST /api/adapters/:version/gate (202), and of GET, which has the verdict once it is there. */
export interface GateStatus {
  version: number;
  state: "waiting" | "active" | "done" | "failed" | "cancelled" | "none";
  /** Why there is no verdict. */
  error: string | null;
  verdict: Verdict | null;
}

export interface Deployment {
  id: number;
  at: string;
  actor: string;
  action: "promote" | "rollback" | "retire" | "reject" | "shadow" | "canary";
  /** What was live. */
  from: AdapterIdentity | null;
  /** What was put live, on trial, or taken away. */
  to: AdapterIdentity;
  /** 0..1, of the exchanges or conversations; only with the actions `shadow` and `canary`. */
  share?: number;
  reason: string;
}

/** Where an adapter may be put. */
export const deploymentStages = ["shadow", "canary", "live"] as const;

export type DeploymentStage = (typeof deploymentStages)[number];
export type TrialStage = Exclude<DeploymentStage, "live">;

/** Body of POST /api/adapters/:version/promote and POST /api/adapters/rollback. */
export interface DeploymentRequest {
  reason: string;
  /** Promotion only; default `live`. */
  stage?: DeploymentStage;
  /** 0..1, with the stages shadow and canary; default SHADOW_SHARE or CANARY_SHARE. */
  share?: number;
  /** Promote although no gate was passed; the reason is required then. */
  force?: boolean;
}

/** A candidate among people's exchanges: answering them unseen (shadow), or a share of conversations (canary). */
export interface Trial extends AdapterIdentity {
  stage: TrialStage;
  /** 0..1 */
  share: number;
  /** When this stage, with this share, began; ISO. */
  since: string;
}

/** How a candidate on trial does beside the live adapter; intervals hold at any time with 95% confidence. */
export interface TrialComparison {
  /** Replies of the candidate, and of the live adapter, that are compared. */
  replies: number;
  liveReplies: number;
  /** Candidate less live. Null while there is nothing to compare. */
  toxicity: Interval | null;
  reward: Interval | null;
}
