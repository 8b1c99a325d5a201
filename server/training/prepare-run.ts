/** What a run is made from: its snapshot, its starting point and its job file, frozen before the trainer starts. */
import { mkdir, writeFile } from "node:fs/promises";
import type { TrainingJob } from "../../trainer/contract.ts";
import type { AdapterRegistry } from "../adapters/registry.ts";
import type { Artifacts, Store } from "../ports.ts";
import type { AdapterIdentity } from "../protocol/index.ts";
import type { StoredRun } from "../store/runs.ts";
import { defaultMaxStaleness, fewestExchanges, type StartRun } from "./requests.ts";
import { RunFailedError } from "./run-failures.ts";
import { type RunFiles, writeJob } from "./run-files.ts";
import type { RunProgress } from "./run-progress.ts";
import { type Rejudge, writeSnapshot } from "./snapshot.ts";
import { startingPoint } from "./starting-point.ts";

export interface PrepareOptions {
  store: Store;
  registry: AdapterRegistry;
  artifacts: Artifacts;
  progress: RunProgress;
  /** Checkpoint folder of the base model. */
  modelFolder: string;
  /** As the server has it loaded. */
  quantization?: TrainingJob["quantization"];
  cacheDir?: string;
  trainerThreads: number;
  rewardVersion: string;
  /** What the REWARD setting names, by which fresh rollouts are scored; undefined for the default reward. */
  rewardPath: string | undefined;
  rejudge: Rejudge;
  /** Share of the conversations that never train. Default 0. */
  holdoutShare?: number;
  now: () => Date;
}

/** Exchanges that the log must offer: none where a user's own prompts are answered, one where logged prompts are. */
function fewestExchangesOf(request: StartRun): number {
  if (request.algorithm !== "ppo" || request.rollouts.source === "log") return fewestExchanges;
  return request.rollouts.prompts === undefined ? 1 : 0;
}

/** @returns what writes a run's job, and all that the job names, into the run's folder */
export function createPreparation(options: PrepareOptions) {
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

  return prepare;
}
