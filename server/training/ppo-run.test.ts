import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createEngine } from "../../engine/index.ts";
import type { Engine } from "../../engine/types.ts";
import { loadReward } from "../../reward/reward.ts";
import { createAdapterRegistry } from "../adapters/registry.ts";
import { writeSampleModel } from "../adapters/sample-model.ts";
import { createFolderArtifacts } from "../artifacts/folder.ts";
import { createSampleGate } from "../gate/sample-gate.ts";
import { createSqliteJobQueue } from "../jobs/sqlite-queue.ts";
import { openStore, type Store } from "../store/index.ts";
import { logExchange } from "./sample-log.ts";
import { createTrainingService } from "./service.ts";

// The trainer runs at low priority: on a machine that is busy otherwise it takes minutes.
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

/** What a server trains with, on this test's data folder; `reward` is a configuration file. */
async function openTraining({ version, path }: { version: string; path?: string }) {
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
    rewardVersion: version,
    rewardPath: path,
    rejudge: (logged) => logged,
    gate: createSampleGate({ store, registry, artifacts, modelFolder: modelDir }),
  });
  async function close() {
    await queue.close();
    await registry.settled();
  }
  return { fanOut, registry, training, close };
}

it("trains on what the engine sampled, and the engine then serves what was trained, twice in a row", async () => {
  const { fanOut, registry, training, close } = await openTraining({ version: "reward-1" });
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
    await close();
  }
});

it("answers prompts that came with the request, scores the replies itself and needs no log for it", async () => {
  const path = join(folder, "reward.json");
  writeFileSync(path, JSON.stringify({ terms: { toxicity: { weight: 1, model: "embedded" }, empty: { weight: 5 } } }));
  const reward = await loadReward(path);
  await reward.dispose();
  const { registry, training, close } = await openTraining({ version: reward.version, path });
  try {
    const prompts = ["They are all lazy.", "Send them away."].map((content) => {
      return { messages: [{ role: "user" as const, content }] };
    });
    const settings = { batchSize: 4, epochs: 1, valueWarmupSteps: 5, rank: 2 };
    const rollouts = { source: "fresh" as const, prompts, rounds: 2, promptsPerRound: 4, maxTokens: 6 };
    const { id } = await training.start({ algorithm: "ppo", trigger: "api", settings, rollouts });
    await expect.poll(async () => (await training.get(id))?.finishedAt, { timeout: 240_000 }).toBeTruthy();
    const run = await training.get(id);
    expect(run).toMatchObject({ state: "succeeded", error: null, exchanges: 2, steps: 2, result: { version: 1 } });
    expect(registry.live().version).toBe(1);
    const lines = (file: string) =>
      readFileSync(join(folder, "runs", id, file), "utf8")
        .trim()
        .split("\n");
    expect(lines("prompts.jsonl").map((line) => JSON.parse(line))).toEqual(prompts);
    for (const line of lines("rollouts/round-2.jsonl")) {
      expect(JSON.parse(line).reward).toMatchObject({
        version: reward.version,
        terms: { toxicity: expect.any(Number) },
      });
    }
  } finally {
    await close();
  }
});

it("goes on from the version that is asked for, and from none that was never made", async () => {
  const { training, close } = await openTraining({ version: "reward-1" });
  try {
    const refused = training.start({ algorithm: "ppo", trigger: "api", from: 7 });
    await expect(refused).rejects.toMatchObject({ code: "unknown_adapter" });
  } finally {
    await close();
  }
});
