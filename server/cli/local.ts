import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deployInitialAdapter } from "../adapters/first-start.ts";
import { type AdapterRegistry, createAdapterRegistry } from "../adapters/registry.ts";
import { createFolderArtifacts } from "../artifacts/folder.ts";
import { loadJudge } from "../chat/load-judge.ts";
import { gateFromConfig } from "../gate/from-config.ts";
import { createGateService, type GateService } from "../gate/service.ts";
import { openQueue } from "../jobs/open-queue.ts";
import type { FanOut } from "../ports.ts";
import type { DeploymentStage } from "../protocol/index.ts";
import { createRemoteRunner } from "../remote/remote-runner.ts";
import { startEngine } from "../start-engine.ts";
import { createTrainingService, type TrainingService } from "../training/service.ts";
import { configOf, openLocalStore } from "./local-data.ts";
import { printNote, terminalFanOut } from "./output.ts";
import type { PlaceOptions } from "./place.ts";

const projectFolder = fileURLToPath(new URL("../..", import.meta.url));

export interface Local {
  registry: AdapterRegistry;
  training: TrainingService;
  /** What a stage gets when nothing is said, 0..1. */
  shares: Record<DeploymentStage, number>;
  gates: GateService;
  close(): Promise<void>;
}

/** What a server has for deploying and training, on its data folder and without a port. */
export async function openLocal(options: PlaceOptions): Promise<Local> {
  const config = configOf(options);
  const { modelDir, quantization, cacheDir, threads } = config;
  const onError = (error: unknown) => printNote(error instanceof Error ? error.message : String(error));
  const opened: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const dispose of opened.reverse().splice(0)) await dispose();
  };
  try {
    const store = await openLocalStore(options);
    opened.push(() => store.close());
    const engine = await startEngine(config);
    opened.push(() => engine.close());
    const judge = await loadJudge(config.reward);
    opened.push(() => judge.close());
    const artifacts = createFolderArtifacts(join(config.dataDir, "artifacts"));
    const registry = await createAdapterRegistry({
      store,
      artifacts,
      engine,
      fanOut: terminalFanOut,
      admitTo: { stage: config.rollout.stage, share: config.rollout.shares[config.rollout.stage] },
      onError,
    });
    await deployInitialAdapter({
      store,
      registry,
      shippedFolder: join(modelDir, "adapters"),
      adapter: config.adapter,
    });
    const { queue, redis, lineage } = await openQueue(config, store, onError);
    opened.push(() => queue.close());
    const runner =
      config.trainer === "here" || redis === null
        ? undefined
        : createRemoteRunner({
            queue,
            client: redis.client,
            projectFolder,
            modelFolder: modelDir,
            modelSha256: engine.model.sha256,
            cacheDir,
            onNote: printNote,
          });
    const rewardVersion = judge.scorer.version;
    const gate = gateFromConfig(config, engine.model, { store, registry, artifacts, rewardVersion, runner });
    const gates = createGateService({ queue, registry, gate, gatesFolder: join(config.dataDir, "gates") });
    const training = await createTrainingService({
      runner,
      store,
      registry,
      artifacts,
      queue,
      lineage,
      fanOut: terminalFanOut,
      runsFolder: join(config.dataDir, "runs"),
      modelFolder: modelDir,
      quantization,
      cacheDir,
      trainerEntry: join(projectFolder, "trainer", "worker.ts"),
      trainerThreads: threads,
      rewardVersion,
      rewardPath: config.reward,
      rejudge: judge.rejudge,
      gate,
      holdoutShare: config.holdoutShare,
    });
    return { registry, training, gates, shares: config.rollout.shares, close };
  } catch (error) {
    await close();
    throw error;
  }
}
