import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deployInitialAdapter } from "../adapters/first-start.ts";
import { type AdapterRegistry, createAdapterRegistry } from "../adapters/registry.ts";
import { createFolderArtifacts } from "../artifacts/folder.ts";
import { loadJudge } from "../chat/load-judge.ts";
import { gateFromConfig } from "../gate/from-config.ts";
import { createGateService, type GateService } from "../gate/service.ts";
import { createSqliteJobQueue } from "../jobs/sqlite-queue.ts";
import { startEngine } from "../start-engine.ts";
import { createTrainingService, type TrainingService } from "../training/service.ts";
import { configOf, openLocalStore } from "./local-data.ts";
import { printNote, terminalFanOut } from "./output.ts";
import type { PlaceOptions } from "./place.ts";

export interface Local {
  registry: AdapterRegistry;
  training: TrainingService;
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
    const registry = await createAdapterRegistry({ store, artifacts, engine, fanOut: terminalFanOut, onError });
    await deployInitialAdapter({
      store,
      registry,
      shippedFolder: join(modelDir, "adapters"),
      adapter: config.adapter,
    });
    const queue = createSqliteJobQueue({ db: store.db, onError });
    opened.push(() => queue.close());
    const rewardVersion = judge.scorer.version;
    const gate = gateFromConfig(config, engine.model, { store, registry, artifacts, rewardVersion });
    const gates = createGateService({ queue, registry, gate, gatesFolder: join(config.dataDir, "gates") });
    const training = await createTrainingService({
      store,
      registry,
      artifacts,
      queue,
      fanOut: terminalFanOut,
      runsFolder: join(config.dataDir, "runs"),
      modelFolder: modelDir,
      quantization,
      cacheDir,
      trainerEntry: fileURLToPath(new URL("../../trainer/worker.ts", import.meta.url)),
      trainerThreads: threads,
      rewardVersion,
      rewardPath: config.reward,
      rejudge: judge.rejudge,
      gate,
      holdoutShare: config.holdoutShare,
    });
    return { registry, training, gates, close };
  } catch (error) {
    await close();
    throw error;
  }
}
