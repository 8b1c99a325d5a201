/**
 * One training run from its snapshot to its verdict. Every step can be done again: a run whose server died is started
 * anew with the files it has left, and the trainer goes on from its checkpoint.
 */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { CheckpointError } from "../../engine/types.ts";
import type { TrainingEvent, TrainingJob } from "../../trainer/contract.ts";
import type { AdapterRegistry } from "../adapters/registry.ts";
import { explainFailures, type Gate, GateFailedError } from "../gate/run-gate.ts";
import { JobInterruptedError, UnretryableJobError } from "../jobs/named-queue.ts";
import type { Artifacts, Job, Store } from "../ports.ts";
import type { AdapterIdentity } from "../protocol/index.ts";
import { RequestError } from "../request-error.ts";
import type { StoredRun } from "../store/runs.ts";
import { defaultMaxStaleness, fewestExchanges, type StartRun, startRunSchema } from "./requests.ts";
import { jobInputs, type RunFiles, readJob, runFiles, writeJob } from "./run-files.ts";
import { nonFiniteNames, type RunProgress } from "./run-progress.ts";
import { findFaults, findWeightFaults } from "./sanity.ts";
import { type Rejudge, writeSnapshot } from "./snapshot.ts";
import { startingPoint } from "./starting-point.ts";
import { importSteps } from "./steps.ts";
import { readTrainingEvents } from "./trainer-events.ts";
import { runTrainer } from "./trainer-process.ts";
import type { TrainerRunner } from "./trainer-runner.ts";

/** A run is given up after so many starts that did not end in order. */
export const maxRunAttempts = 3;

export interface RunHandlerOptions {
  store: Store;
  registry: AdapterRegistry;
  artifacts: Artifacts;
  progress: RunProgress;
  /** Folder of the runs' own folders. */
  runsFolder: string;
  /** Checkpoint folder of the base model. */
  modelFolder: string;
  /** As the server has it loaded. */
  quantization?: TrainingJob["quantization"];
  cacheDir?: string;
  trainerEntry: string;
  trainerThreads: number;
  /** Where trainer programs run. Default: on this machine. */
  runner?: TrainerRunner;
  rewardVersion: string;
  /** What the REWARD setting names, by which fresh rollouts are scored; undefined for the default reward. */
  rewardPath: string | undefined;
  rejudge: Rejudge;
  gate: Gate;
  /** Share of the conversations that never train. Default 0. */
  holdoutShare?: number;
  killAfterMs?: number;
  now: () => Date;
}

/** Failures of the trainer that may have passed when it is started again, which goes on from its checkpoint. */
const passingFailures = new Set(["reward_failed", "cannot_save"]);

class PassingFailureError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A run that cannot go on, with the code its record gets. */
class RunFailedError extends UnretryableJobError {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Exchanges that the log must offer: none where a user's own prompts are answered, one where logged prompts are. */
function fewestExchangesOf(request: StartRun): number {
  if (request.algorithm !== "ppo" || request.rollouts.source === "log") return fewestExchanges;
  return request.rollouts.prompts === undefined ? 1 : 0;
}

export function createRunHandler(options: RunHandlerOptions) {
  const { store, registry, artifacts, progress, now } = options;

  /** A clean start lies further back than PPO looks by default: far enough for what the runs since were given. */
  async function stalenessOf(
    { maxStaleness = defaultMaxStaleness }: { maxStaleness?: number | undefined },
    parent: AdapterIdentity | null,
    only: ReadonlySet<string> | undefined,
  ): Promise<number> {
    if (only === undefined) return maxStaleness;
    const versions = await store.exchangeQueries.adapterVersionsOf([...only]);
    return Math.max(maxStaleness, ...versions.map((version) => Math.abs(version - (parent?.version ?? 0))));
  }

  async function prepare(run: StoredRun, request: StartRun, files: RunFiles): Promise<TrainingJob> {
    await mkdir(files.folder, { recursive: true });
    const { rejudge, rewardVersion } = options;
    const { parent, usedBy, only } = await startingPoint(store, registry.live(), request.from);
    const staleness = request.algorithm === "ppo" ? await stalenessOf(request.settings, parent, only) : undefined;
    // Who answered a prompt, and when, is nothing to whoever answers it anew.
    const isLogged = request.algorithm === "ppo" && request.rollouts.source === "log";
    const snapshot = await writeSnapshot({
      store,
      runId: run.id,
      file: files.snapshot,
      // Where a user's own prompts are answered, logged exchanges teach nothing and must not count as used.
      limit: fewestExchangesOf(request) === 0 ? 0 : request.maxExchanges,
      rejudge,
      rewardVersion,
      usedBy,
      ...(only === undefined ? {} : { only }),
      ...(staleness !== undefined && isLogged ? { staleness: { version: parent?.version ?? 0, most: staleness } } : {}),
      holdoutShare: options.holdoutShare,
      now,
    });
    await progress.change(run.id, { exchanges: snapshot.exchanges });
    if (snapshot.exchanges < fewestExchangesOf(request)) {
      const left = Object.entries(snapshot.excluded).map(([reason, count]) => `, ${count} left out as ${reason}`);
      throw new RunFailedError(
        "too_few_exchanges",
        `Expected at least ${fewestExchangesOf(request)} complete exchanges with consent, found ${snapshot.exchanges}${left.join("")}`,
      );
    }
    const promised = run.version ?? (await registry.nextVersion());
    await progress.change(run.id, { parent, version: promised });
    const job: TrainingJob = {
      runId: run.id,
      algorithm: request.algorithm,
      model: options.modelFolder,
      quantization: options.quantization,
      cacheDir: options.cacheDir,
      parentAdapter:
        parent === null ? null : { ...parent, folder: await artifacts.fetch(`adapters/${parent.version}`) },
      snapshot: files.snapshot,
      snapshotSha256: snapshot.sha256,
      knownAdapters: (await store.adapters.list()).map(({ version, sha256 }) => ({ version, sha256 })),
      rollouts: await rolloutsOf(request, files),
      outputDir: files.folder,
      version: promised,
      rewardVersion,
      threads: options.trainerThreads,
      settings:
        only === undefined || staleness === undefined
          ? request.settings
          : { ...request.settings, maxStaleness: staleness },
    };
    await writeJob(files, job);
    return job;
  }

  /** Prompts that came with the request are frozen in the run's folder, as the snapshot is. */
  async function rolloutsOf(request: StartRun, files: RunFiles): Promise<TrainingJob["rollouts"]> {
    if (request.algorithm !== "ppo" || request.rollouts.source === "log") return undefined;
    const { prompts, ...asked } = request.rollouts;
    if (prompts !== undefined) {
      await writeFile(files.prompts, prompts.map((prompt) => `${JSON.stringify(prompt)}\n`).join(""));
    }
    return { ...asked, prompts: prompts === undefined ? null : files.prompts, reward: options.rewardPath ?? null };
  }

  /** The trainer's last word, from an earlier start if it had ended already. */
  async function train(run: StoredRun, job: TrainingJob, files: RunFiles, signal: AbortSignal) {
    const earlier = await readTrainingEvents(files.metrics, run.id);
    for (const event of earlier) if (event.type !== "failed") await progress.record(event);
    const done = earlier.findLast((event) => event.type === "succeeded");
    if (done !== undefined && (await stat(files.adapter).catch(() => null)) !== null) return { done, events: earlier };

    const events: TrainingEvent[] = [...earlier];
    const outcome = await runTrainer({
      entry: options.trainerEntry,
      jobFile: files.job,
      runId: run.id,
      inputs: jobInputs(job),
      runner: options.runner,
      signal,
      killAfterMs: options.killAfterMs,
      onEvent: async (event) => {
        events.push(event);
        await progress.record(event);
      },
    });
    if (outcome.type === "succeeded") return { done: outcome.event, events };
    if (outcome.type === "failed") {
      const { code, message } = outcome.error;
      throw passingFailures.has(code) ? new PassingFailureError(code, message) : new RunFailedError(code, message);
    }
    signal.throwIfAborted();
    if (outcome.type === "stopped") throw new Error("The trainer was stopped from outside and kept its checkpoint");
    throw new Error(outcome.message);
  }

  async function decide(
    run: StoredRun,
    request: StartRun,
    job: TrainingJob,
    trained: { done: Extract<TrainingEvent, { type: "succeeded" }>; events: TrainingEvent[] },
    signal: AbortSignal,
  ): Promise<void> {
    await progress.change(run.id, { state: "gating" });
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
      const verdict = await options.gate.run(asked, signal);
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
  }

  async function finish(run: StoredRun, state: "failed" | "cancelled", code: string, message: string): Promise<void> {
    await importSteps(store, run.id, runFiles(options.runsFolder, run.id).steps);
    await progress.change(run.id, { state, finishedAt: now().toISOString(), error: { code, message } });
  }

  return async function handle(queued: Job, signal: AbortSignal): Promise<void> {
    const run = await store.runs.get(queued.id);
    if (run === null) throw new UnretryableJobError(`There is no training run ${queued.id}`);
    if (run.finishedAt !== null) return;
    const request = startRunSchema.parse(run.settings);
    const files = runFiles(options.runsFolder, run.id);
    try {
      if (queued.attempt > maxRunAttempts) {
        throw new RunFailedError("crashed", `Given up: ${maxRunAttempts} starts did not end in order`);
      }
      await progress.change(run.id, { state: "running", startedAt: run.startedAt ?? now().toISOString() });
      const job = (await readJob(files)) ?? (await prepare(run, request, files));
      await decide(run, request, job, await train(run, job, files, signal), signal);
    } catch (error) {
      const reason: unknown = signal.reason;
      const message = error instanceof Error ? error.message : String(error);
      if (reason instanceof JobInterruptedError) {
        if (reason.interruption === "cancelled") await finish(run, "cancelled", "cancelled", "Cancelled by request");
      } else if (error instanceof RunFailedError || error instanceof RequestError || error instanceof GateFailedError) {
        await finish(run, "failed", error.code, message);
      } else if (error instanceof CheckpointError) {
        await finish(run, "failed", error.code, message);
        throw new UnretryableJobError(message, { cause: error });
      } else if (queued.attempt >= maxRunAttempts) {
        const code = error instanceof PassingFailureError ? error.code : "crashed";
        await finish(run, "failed", code, `Failed ${queued.attempt} times, last: ${message}`);
      }
      throw error;
    }
  };
}
