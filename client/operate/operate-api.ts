/** The server's operator routes. */
import type {
  AdapterSummary,
  Deployment,
  DeploymentRequest,
  DeploymentStage,
  Page,
  ServerStatus,
  TrainingRun,
  TrainingRunAccepted,
  TrainingRunDetail,
} from "../../server/protocol/index.ts";
import { fetchJson } from "../http/fetch-json.ts";
import { headerText } from "../http/header-text.ts";

export const operateKeys = {
  status: ["status"],
  runs: ["runs"],
  run: (id: string) => ["run", id],
  adapters: ["adapters"],
  deployments: ["deployments"],
} as const;

const post = <Answer>(path: string, body: unknown = {}, headers: Record<string, string> = {}) =>
  fetchJson<Answer>(path, { method: "POST", body, headers });

/** What goes with a change of the live adapter into the deployment log. */
export interface DeploymentNote extends DeploymentRequest {
  operator: string;
}

/** Where a version goes; the share, 0..1, means nothing for `live`. */
export interface Destination {
  stage: DeploymentStage;
  share: number;
}

const headersOf = (operator: string) => ({ "x-operator": headerText(operator) });

export const fetchStatus = (): Promise<ServerStatus> => fetchJson("/api/status");
export const fetchRuns = (): Promise<Page<TrainingRun>> => fetchJson("/api/training/runs");
export const fetchRun = (id: string): Promise<TrainingRunDetail> =>
  fetchJson(`/api/training/runs/${encodeURIComponent(id)}`);
export const fetchAdapters = (): Promise<Page<AdapterSummary>> => fetchJson("/api/adapters");
export const fetchDeployments = (): Promise<Page<Deployment>> => fetchJson("/api/deployments");

export const startPpoRun = (): Promise<TrainingRunAccepted> => post("/api/training/runs", { algorithm: "ppo" });
export const cancelRun = (id: string): Promise<unknown> => post(`/api/training/runs/${encodeURIComponent(id)}/cancel`);
export const promoteAdapter = (
  version: number,
  { stage, share }: Destination,
  { operator, reason }: DeploymentNote,
): Promise<unknown> =>
  post(
    `/api/adapters/${version}/promote`,
    { reason, stage, ...(stage === "live" ? {} : { share }) },
    headersOf(operator),
  );
export const rollBackAdapter = ({ operator, reason }: DeploymentNote): Promise<unknown> =>
  post("/api/adapters/rollback", { reason }, headersOf(operator));
