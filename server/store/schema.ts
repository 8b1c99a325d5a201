/** Tables as Kysely sees them. Dates are ISO 8601 text in UTC, JSON stands in text columns, booleans are 0 or 1. */
import type { Generated, Insertable, Selectable } from "kysely";
import type { AdapterState, AnnotationLabel, Deployment, FinishReason, RunState } from "../protocol/index.ts";

/** Writing the reply, or putting it into the log. Only the first is the adapter's doing. */
export type FailedStep = "generation" | "log";

export interface ConversationTable {
  id: string;
  owner: string;
  created_at: string;
}

export interface ExchangeTable {
  /** Order of acceptance; pages and histories sort by it. */
  seq: Generated<number>;
  id: string;
  conversation_id: string;
  /** User (or anonymous browser) that sent the message. */
  owner: string;
  /** Chosen by the client; unique per owner, so that sending twice gives one exchange. */
  client_message_id: string;
  source: "socket" | "openai";
  created_at: string;
  completed_at: string | null;
  /** `cut`: the reply never ended in order (server killed, engine failed); such a row never trains. */
  status: "streaming" | "complete" | "cut";
  /** JSON: what the model was shown, history and the message itself, as typed. */
  messages: string;
  reply: string;
  /** JSON arrays; reply_tokens and log_probs have one length. */
  prompt_tokens: string;
  reply_tokens: string;
  log_probs: string;
  /** JSON of the sampler's settings. */
  sampling: string;
  max_tokens: number;
  finish_reason: FinishReason | null;
  adapter_name: string;
  adapter_version: number;
  adapter_sha256: string;
  prompt_toxicity: number | null;
  reply_toxicity: number | null;
  /** JSON: attribute name to score of the reply. */
  toxicity_attributes: string | null;
  reward_version: string | null;
  reward_total: number | null;
  /** JSON: term name to value. */
  reward_terms: string | null;
  consent: number;
  feedback: number;
  feedback_reason: string | null;
  /** Where a reply failed that this process cut; null for one that was cut because its server died. */
  failed_step: FailedStep | null;
}

export interface AnnotationTable {
  id: Generated<number>;
  exchange_id: string;
  annotator: string;
  label: AnnotationLabel;
  severity: number | null;
  note: string | null;
  rewrite: string | null;
  created_at: string;
  /** What an operator decided about a judgement that looked suspicious. */
  review: "accepted" | "excluded" | null;
}

/** A score that one of a later reward version has replaced. */
export interface ExchangeRewardTable {
  exchange_id: string;
  version: string;
  total: number;
  /** JSON: term name to value. */
  terms: string;
  prompt_toxicity: number | null;
  reply_toxicity: number | null;
  toxicity_attributes: string | null;
  replaced_at: string;
}

export interface AdapterTable {
  version: number;
  name: string;
  sha256: string;
  state: AdapterState;
  parent_version: number | null;
  run_id: string | null;
  /** Key of the PEFT folder in the artifact store. */
  folder: string;
  rank: number;
  alpha: number;
  /** JSON array of matrix names. */
  target_modules: string;
  /** JSON: metric name to value. */
  metrics: string;
  created_at: string;
  /** When data was last erased that this adapter, or one it descends from, was trained on. */
  erased_at: string | null;
  /** How many exchanges that was, over all erasures. */
  erased_exchanges: Generated<number>;
  /** JSON of Verdict. */
  verdict: string | null;
}

/** Append-only: triggers refuse update and delete. */
export interface DeploymentTable {
  id: Generated<number>;
  at: string;
  actor: string;
  action: Deployment["action"];
  /** JSON of AdapterIdentity. */
  from_adapter: string | null;
  to_adapter: string;
  reason: string;
  /** 0..1, with the actions shadow and canary. */
  share: number | null;
}

export interface TrainingRunTable {
  seq: Generated<number>;
  id: string;
  algorithm: "ppo" | "sft";
  state: RunState;
  trigger: "api" | "cli" | "cron" | "threshold";
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  /** JSON of AdapterIdentity. */
  parent: string | null;
  result: string | null;
  /** Number that the result will carry; reserved when the run starts. */
  version: number | null;
  exchanges: number;
  step: number;
  steps: number;
  /** JSON: the run's settings as asked for. */
  settings: string;
  /** JSON: metric name to its latest value. */
  metrics: string;
  /** JSON of WireError. */
  error: string | null;
}

/** The curves of a run. */
export interface RunMetricTable {
  run_id: string;
  step: number;
  at: string;
  /** JSON: metric name to value. */
  metric_values: string;
}

/** What stood in a run's snapshot. */
export interface RunExchangeTable {
  run_id: string;
  exchange_id: string;
  /** When the snapshot was read: what is said about the exchange later is news. */
  taken_at: string;
  /** What the exchange was worth to the run. */
  reward: number;
}

/** Which optimizer step of a run used which exchange. */
export interface StepExchangeTable {
  run_id: string;
  step: number;
  exchange_id: string;
}

/** Append-only. Numbers only: nothing here leads back to a person. */
export interface ErasureTable {
  id: Generated<number>;
  at: string;
  conversations: number;
  exchanges: number;
  annotations: number;
  /** JSON arrays: ids of the runs and versions of the adapters that had used something of it. */
  runs: string;
  adapters: string;
}

/** What an erasure has still to do in files; a row goes when its work is done. */
export interface ErasureTaskTable {
  id: Generated<number>;
  /** JSON array: the exchanges to be removed from files. */
  exchange_ids: string;
  /** JSON: id of each run that had some of them to their number. */
  uses: string;
  /** JSON array: versions of the adapters that have been marked for it. */
  marked: string;
  /** JSON array: versions of adapters whose stored sample is one of these exchanges. */
  probes: string;
  created_at: string;
}

export interface JobTable {
  id: string;
  kind: string;
  /** JSON. */
  payload: string;
  state: "waiting" | "active" | "done" | "failed" | "cancelled";
  attempts: number;
  max_attempts: number;
  /** Not to be started before. */
  run_at: string;
  /** Who works on it and until when others must leave it alone. */
  locked_by: string | null;
  locked_until: string | null;
  last_error: string | null;
  /** JSON of what the job last reported. */
  progress: string | null;
  created_at: string;
  updated_at: string;
}

/** What a candidate in shadow would have said; nobody was shown it. */
export interface ShadowReplyTable {
  exchange_id: string;
  adapter_version: number;
  reply: string;
  /** JSON arrays of one length. */
  reply_tokens: string;
  log_probs: string;
  finish_reason: FinishReason;
  toxicity: number;
  reward_version: string;
  reward: number;
  at: string;
}

export interface JobScheduleTable {
  key: string;
  kind: string;
  cron: string;
  /** JSON. */
  payload: string;
  next_at: string | null;
}

/** One row: which store this is. */
export interface InstallationTable {
  id: string;
}

export interface Database {
  conversations: ConversationTable;
  exchanges: ExchangeTable;
  annotations: AnnotationTable;
  exchange_rewards: ExchangeRewardTable;
  adapters: AdapterTable;
  deployments: DeploymentTable;
  training_runs: TrainingRunTable;
  run_metrics: RunMetricTable;
  run_exchanges: RunExchangeTable;
  step_exchanges: StepExchangeTable;
  erasures: ErasureTable;
  erasure_tasks: ErasureTaskTable;
  jobs: JobTable;
  shadow_replies: ShadowReplyTable;
  job_schedules: JobScheduleTable;
  installation: InstallationTable;
}

export type ExchangeRow = Selectable<ExchangeTable>;
export type NewExchangeRow = Insertable<ExchangeTable>;
