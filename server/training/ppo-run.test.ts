import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createEngine } from "../../engine/index.ts";
import type { Engine } from "../../engine/types.ts";
import { createAdapterRegistry } from "../adapters/registry.ts";
import { writeSampleModel } from "../adapters/sample-model.ts";
import { createFolderArtifacts } from "../artifacts/folder.ts";
import { createSampleGate } from "../gate/sample-gate.ts";
import { createSqliteJobQueue } from "../jobs/sqlite-queue.ts";
import { openStore, type Store } from "../store/index.ts";
import { logExchange } from "./sample-log.ts";
import { createTrainingService } from "./service.ts";

// The trainer runs at the lowest priority: on a machine that is busy otherwise it takes minutes.
vi.setConfig({ testTimeout: 500_000, hookTimeout: 60_000 });

const trainerEntry = fileURLToPath(new URL("../../trainer/worker.ts", import.meta.url));
let folder: string;
let modelDir: string;
let store: Store;
let engine: Engine;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-ppo-"));
  modelDir = join(folder, "model");
  writeSampleModel(modelDir);
  store = await openStore(join(folder, "rejoinder.sqlite"));
  engine = await createEngine({ modelDir, threads: 1, maxConcurrent: 4, maxQueue: 4 });
});
afterEach(async () => {
  await engine.close();
  await store.close();
  rmSync(folder, { recursive: true });
});

/** Logs what the engine really samples; the reward likes some token ids better than others. */
async function logReply(id: string, adapter: { name: string; version: number; sha256: string }, seed: number) {
  const sampling = { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed };
  const promptTokens = engine.renderChat([{ role: "user", content: `They are all lazy, number ${seed}.` }]);
  const stream = engine.generate({
    promptTokens,
    adapter: adapter.version === 0 ? null : adapter.sha256,
    sampling,
    maxTokens: 8,
    stop: [],
  });
  let step = await stream.next();
  while (!step.done) step = await stream.next();
  const { tokens, logProbs, text, finishReason } = step.value;
  const total = tokens.filter((token) => token % 2 === 0).length / tokens.length;
  await logExchange(store, id, {
    accepted: { promptTokens, sampling, adapter, maxTokens: 8 },
    outcome: {
      reply: text === "" ? " " : text,
      replyTokens: tokens,
      logProbs,
      finishReason,
      reward: { version: "reward-1", total, terms: { even: total } },
    },
  });
}

it("trains on what the engine sampled, and the engine then serves what was trained, twice in a row", async () => {
  const fanOut = { chat: () => undefined, ops: vi.fn() };
  const artifacts = createFolderArtifacts(join(folder, "artifacts"));
  const registry = await createAdapterRegistry({ store, engine, artifacts, fanOut });
  const queue = createSqliteJobQueue({ db: store.db, pollMs: 20 });
  const training = await createTrainingService({
    store,
    queue,
    registry,
    artifacts,
    fanOut,
    runsFolder: join(folder, "runs"),
    modelFolder: modelDir,
    trainerEntry,
    trainerThreads: 1,
    rewardVersion: "reward-1",
    rewardPath: undefined,
    rejudge: (logged) => logged,
    gate: createSampleGate({ store, registry, artifacts, modelFolder: modelDir }),
  });
  try {
    for (const version of [1, 2]) {
      const { name, sha256, version: live } = registry.live();
      for (let seed = 0; seed < 8; seed++) {
        await logReply(`${version}-${seed}`, { name, version: live, sha256 }, seed);
      }
      const settings = { batchSize: 8, epochs: 1, valueWarmupSteps: 5, rank: 2 };
      const { id } = await training.start({ algorithm: "ppo", trigger: "api", settings });
      await expect.poll(async () => (await training.get(id))?.finishedAt, { timeout: 240_000 }).toBeTruthy();
      const run = await training.get(id);
      expect(run).toMatchObject({ state: "succeeded", error: null, result: { version } });
      expect(run?.history.length).toBeGreaterThan(0);
      expect(registry.live()).toMatchObject({ version, sha256: run?.result?.sha256 });
      expect(await registry.probe(version)).toBeLessThan(0.02);
    }
    expect(fanOut.ops.mock.calls.filter(([event]) => event === "alert")).toEqual([]);
  } finally {
    await queue.close();
    await registry.settled();
  }
});
