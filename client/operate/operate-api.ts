/** The server's operator routes. */
import type {
  AdapterSummary,
  Deployment,
  DeploymentRequest,
  Page,
  ServerStatus,
  TrainingRun,
  TrainingRunAccepted,
  TrainingRunDetail,
} from "../../server/protocol/index.ts";
import { fetchJson } from "../http/fetch-json.ts";

export const operateKeys = {
  status: ["status"],
  runs: ["runs"],
  run: (id: string) => ["run", id],
  adapters: ["adapters"],
  deployments: ["deployments"],
} as const;

const post = <Answer>(path: string, body: unknown = {}) => fetchJson<Answer>(path, { method: "POST", body });

export const fetchStatus = (): Promise<ServerStatus> => fetchJson("/api/status");
export const fetchRuns = (): Promise<Page<TrainingRun>> => fetchJson("/api/training/runs");
export const fetchRun = (id: string): Promise<TrainingRunDetail> =>
  fetchJson(`/api/training/runs/${encodeURIComponent(id)}`);
export const fetchAdapters = (): Promise<Page<AdapterSummary>> => fetchJson("/api/adapters");
export const fetchDeployments = (): Promise<Page<Deployment>> => fetchJson("/api/deployments");

export const startPpoRun = (): Promise<TrainingRunAccepted> => post("/api/training/runs", { algorithm: "ppo" });
export const cancelRun = (id: string): Promise<unknown> => post(`/api/training/runs/${encodeURIComponent(id)}/cancel`);
export const promoteAdapter = (version: number, request: DeploymentRequest): Promise<unknown> =>
  post(`/api/adapters/${version}/promote`, request);
export const rollBackAdapter = (request: DeploymentRequest): Promise<unknown> =>
  post("/api/adapters/rollback", request);
