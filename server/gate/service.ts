/** Gates of adapters that no run of this server brought: imported ones, and any that an operator wants asked again. */
import { join } from "node:path";
import type { AdapterRegistry } from "../adapters/registry.ts";
import { type NamedJobQueue, UnretryableJobError } from "../jobs/named-queue.ts";
import type { GateStatus } from "../protocol/index.ts";
import { findWeightFaults } from "../training/sanity.ts";
import { explainFailures, type Gate, type GateRequest } from "./run-gate.ts";

const jobKind = "gate:rejoinder";
const maxAttempts = 3;

export interface GateServiceOptions {
  queue: NamedJobQueue;
  registry: AdapterRegistry;
  gate: Gate;
  /** The gates' own folders lie here. */
  gatesFolder: string;
}

export interface GateService {
  /** Queues a gate; one of the same adapter that has not ended is that one. @throws UnknownAdapterError */
  start(version: number): Promise<GateStatus>;
  /** How the latest gate of the adapter stands. @throws UnknownAdapterError */
  status(version: number): Promise<GateStatus>;
}

interface Payload {
  version: number;
}

export function createGateService(options: GateServiceOptions): GateService {
  const { queue, registry, gate, gatesFolder } = options;

  async function handle(id: string, version: number, signal: AbortSignal): Promise<void> {
    const adapter = await registry.find(version);
    const { name, sha256 } = adapter;
    const faults = findWeightFaults(await registry.folderOf(version));
    if (faults.length > 0) {
      await reject(version, faults.join("; "));
      throw new UnretryableJobError(faults.join("; "));
    }
    const request: GateRequest = {
      id,
      folder: join(gatesFolder, id),
      candidate: { name, version, sha256 },
      // Nobody here trained it, whatever its file says about its parent.
      parent: adapter.runId === null ? undefined : (adapter.parent ?? 0),
      probe: await registry.measureProbe(version),
    };
    const verdict = await gate.run(request, signal);
    await registry.setVerdict(version, verdict);
    if (!verdict.passed) await reject(version, explainFailures(verdict));
  }

  /** Only a candidate can be barred: what serves or has served is the operators' to take back. */
  async function reject(version: number, reason: string): Promise<void> {
    const { state } = await registry.find(version);
    if (state === "candidate") await registry.reject(version, "gate", reason);
  }

  queue.process(jobKind, (job, signal) => handle(job.id, (job.payload as Payload).version, signal));

  async function latest(version: number) {
    return (await queue.list(jobKind, 1000)).find(({ payload }) => (payload as Payload).version === version);
  }

  async function status(version: number): Promise<GateStatus> {
    const { verdict } = await registry.find(version);
    const job = await latest(version);
    const error = job?.state === "failed" ? job.lastError : null;
    return { version, state: job?.state ?? "none", error, verdict };
  }

  return {
    status,
    async start(version) {
      await registry.find(version);
      const job = await latest(version);
      const isUnderWay = job?.state === "waiting" || job?.state === "active";
      if (!isUnderWay) await queue.add(jobKind, { version } satisfies Payload, { maxAttempts });
      return status(version);
    },
  };
}
