/** What becomes of a trained adapter: registered, looked over, sent through the gate, and made live or rejected. */
import type { TrainingEvent, TrainingJob } from "../../trainer/contract.ts";
import type { AdapterRegistry } from "../adapters/registry.ts";
import { explainFailures, type Gate } from "../gate/run-gate.ts";
import type { Store } from "../ports.ts";
import type { StoredRun } from "../store/runs.ts";
import type { StartRun } from "./requests.ts";
import { runFiles } from "./run-files.ts";
import { nonFiniteNames, type RunProgress } from "./run-progress.ts";
import { findFaults, findWeightFaults } from "./sanity.ts";
import { importSteps } from "./steps.ts";

export interface DecisionOptions {
  store: Store;
  registry: AdapterRegistry;
  progress: RunProgress;
  /** Folder of the runs' own folders. */
  runsFolder: string;
  gate: Gate;
  now: () => Date;
}

/** How training ended, and everything that was reported on the way. */
export interface Trained {
  done: Extract<TrainingEvent, { type: "succeeded" }>;
  events: TrainingEvent[];
}

/** @returns what decides on a trained run and writes the end into its record */
export function createDecision(options: DecisionOptions) {
  const { store, registry, progress, now } = options;

  return async function decide(
    run: StoredRun,
    request: StartRun,
    job: TrainingJob,
    trained: Trained,
    signal: AbortSignal,
  ): Promise<void> {
    const { step, steps } = await progress.change(run.id, { state: "gating" });
    await importSteps(store, run.id, runFiles(options.runsFolder, run.id).steps);
    const { done, events } = trained;
    const weightFaults = findWeightFaults(done.adapterFolder);
    const { name, version, sha256 } = await registry.register({
      version: job.version,
      folder: done.adapterFolder,
      runId: run.id,
    });
    const result = { name, version, sha256 };
    const probe = weightFaults.length > 0 ? null : await registry.measureProbe(version);
    const faults = findFaults({
      algorithm: job.algorithm,
      metrics: done.metrics,
      nonFinite: nonFiniteNames(events),
      weightFaults,
      quantization: job.quantization ?? "none",
      probeDifference: probe?.difference ?? null,
    });
    if (sha256 !== done.sha256) faults.push(`the trainer reported sha256 ${done.sha256}, its file has ${sha256}`);
    signal.throwIfAborted();
    // On its way already: an earlier start of this run got as far as that.
    const { state } = await registry.find(version);
    if (faults.length === 0 && (state === "candidate" || state === "rejected")) {
      // What is broken is not worth asking; what is sound has to show what it says.
      const asked = {
        id: run.id,
        folder: runFiles(options.runsFolder, run.id).gate,
        candidate: result,
        parent: job.parentAdapter?.version ?? 0,
        probe,
      };
      const verdict = await options.gate
        .run(asked, signal, (answered) => progress.change(run.id, answered))
        .finally(() => progress.change(run.id, { step, steps }));
      await registry.setVerdict(version, verdict);
      if (!verdict.passed) faults.push(explainFailures(verdict));
    }
    const finishedAt = now().toISOString();
    if (faults.length > 0) {
      const message = faults.join("; ");
      await registry.reject(version, "trainer", message);
      await progress.change(run.id, { state: "rejected", result, finishedAt, error: { code: "rejected", message } });
      return;
    }
    if (request.promote) await registry.admit(version, "trainer", `training run ${run.id} passed the gate`);
    await progress.change(run.id, { state: "succeeded", result, finishedAt });
  };
}
