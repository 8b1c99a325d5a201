/** Everything that crosses the wire between server and pages, typed in one place. The client imports only this. */

export interface AdapterIdentity {
  name: string;
  version: number;
  sha256: string;
}

export type AdapterState = "candidate" | "rejected" | "shadow" | "canary" | "live" | "retired";
export type RunState = "queued" | "running" | "gating" | "succeeded" | "rejected" | "failed" | "cancelled";
export type FinishReason = "stop" | "length" | "cancelled" | "error";
export const annotationLabels = ["toxic", "off_topic", "evasive", "good", "ok"] as const;
export type AnnotationLabel = (typeof annotationLabels)[number];

export interface WireError {
  code: string;
  message: string;
  details?: unknown;
}

export interface ReplyToxicity {
  prompt: number;
  reply: number;
  attributes: Record<string, number>;
}

export interface MessageOptions {
  /** May this exchange be used for training? Defaults to the server's CONSENT_DEFAULT. */
  consent?: boolean;
  /** `rejoinder`, `rejoinder@N` or `base`. */
  adapter?: string;
  temperature?: number;
  topP?: number;
  topK?: number;
  maxTokens?: number;
  seed?: number;
}

export interface MessageRequest {
  conversationId?: string;
  text: string;
  clientMessageId: string;
  options?: MessageOptions;
}

export type MessageAck = { ok: true; exchangeId: string; conversationId: string } | { ok: false; error: WireError };
export type Ack = { ok: true } | { ok: false; error: WireError };

export interface TokenEvent {
  exchangeId: string;
  index: number;
  text: string;
}

export interface DoneEvent {
  exchangeId: string;
  text: string;
  finishReason: FinishReason;
  tokens: number;
  adapter: AdapterIdentity;
  /** Null when the reply could not be scored. */
  toxicity: ReplyToxicity | null;
}

export interface FailedEvent {
  exchangeId: string;
  error: WireError;
}

export interface FeedbackRequest {
  exchangeId: string;
  value: 1 | -1 | 0;
  reason?: string;
}

/** Namespace /chat. */
export interface ChatClientEvents {
  message: (request: MessageRequest, ack: (answer: MessageAck) => void) => void;
  stop: (request: { exchangeId: string }, ack?: (answer: Ack) => void) => void;
  resume: (request: { exchangeId: string; fromIndex: number }, ack?: (answer: Ack) => void) => void;
  feedback: (request: FeedbackRequest, ack?: (answer: Ack) => void) => void;
}

export interface ChatServerEvents {
  token: (event: TokenEvent) => void;
  done: (event: DoneEvent) => void;
  failed: (event: FailedEvent) => void;
  adapter: (event: AdapterIdentity) => void;
}

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

/** A candidate among people's exchanges: answering them unseen (shadow), or a share of conversations (canary). */
export interface Trial extends AdapterIdentity {
  stage: TrialStage;
  /** 0..1 */
  share: number;
  /** When this stage, with this share, began; ISO. */
  since: string;
}

export interface Interval {
  estimate: number;
  low: number;
  high: number;
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
  difference: { estimate: number; low: number; high: number } | null;
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

export interface ServerStatus {
  version: string;
  model: { id: string; architecture: string; parameters: number; quantization: string; device: string };
  adapter: AdapterIdentity & { state: AdapterState | "base" };
  /** The candidate in shadow or canary; null when there is none. */
  trial: (Trial & { comparison: TrialComparison }) | null;
  reward: { name: string; version: string };
  training: { state: "idle" | "running"; runId: string | null };
}

export interface Annotation {
  id: number;
  exchangeId: string;
  annotator: string;
  label: AnnotationLabel;
  severity: number | null;
  note: string | null;
  rewrite: string | null;
  createdAt: string;
  /** What an operator decided about a judgement that looked suspicious; null while nobody has. */
  review: JudgementReview | null;
}

export type JudgementReview = "accepted" | "excluded";

export interface AnnotationRequest {
  label: AnnotationLabel;
  /** 1 (slight) to 5 (severe). */
  severity?: number;
  note?: string;
  /** A better reply, in the annotator's words. */
  rewrite?: string;
}

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

export interface Page<T> {
  items: T[];
  /** Pass as `cursor` to go on; null at the end. */
  nextCursor: string | null;
  total: number;
}

/** GET /api/training/runs/:id; the list route answers Page<TrainingRun>, newest first. */
export interface TrainingRunDetail extends TrainingRun {
  /** Every metric reported so far, oldest first: the points of the run's curves. */
  history: MetricEvent[];
}

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

/** Answer of POST /api/training/runs (202). */
export interface TrainingRunAccepted {
  id: string;
}

/** GET /api/annotation/suspicions: judgements that look arranged and do not count until an operator accepts them. */
export interface AnnotationSuspicion {
  kind: "burst" | "copies";
  reason: string;
  annotators: string[];
  /** Ids of the annotations set aside. */
  annotations: number[];
  from: string;
  to: string;
}

/** Body of PUT /api/annotation/reviews. */
export interface ReviewRequest {
  annotations: number[];
  review: JudgementReview;
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
