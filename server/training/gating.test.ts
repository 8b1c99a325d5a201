import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { type AdapterRegistry, createAdapterRegistry } from "../adapters/registry.ts";
import { openSampleEngine, type SampleEngine } from "../adapters/sample-engine.ts";
import { writeSampleAdapter } from "../adapters/sample-model.ts";
import { createFolderArtifacts } from "../artifacts/folder.ts";
import { createSampleGate } from "../gate/sample-gate.ts";
import { createSqliteJobQueue } from "../jobs/sqlite-queue.ts";
import type { FanOut } from "../ports.ts";
import type { TrainingRun, TrainingRunDetail } from "../protocol/index.ts";
import { openStore, type Store } from "../store/index.ts";
import { logExchange } from "./sample-log.ts";
import { createTrainingService, type TrainingService } from "./service.ts";

// A gate runs at low priority: on a machine that is busy otherwise it takes its time.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

let engine: SampleEngine["engine"];
let modelDir: string;
let closeEngine: SampleEngine["close"];
beforeAll(async () => {
  ({ engine, modelDir, close: closeEngine } = await openSampleEngine());
});
afterAll(() => closeEngine());

let folder: string;
let store: Store;
let registry: AdapterRegistry;
let training: TrainingService;
let close: () => Promise<void>;
let announced: unknown[];
/** The run, each time that operators were told of it. */
let told: TrainingRun[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-gating-"));
  announced = [];
  told = [];
  const fanOut: FanOut = {
    chat: (_event, payload) => void announced.push(payload),
    ops: (event, payload) => void (event === "run" && told.push(payload as TrainingRun)),
  };
  store = await openStore(join(folder, "rejoinder.sqlite"));
  const artifacts = createFolderArtifacts(join(folder, "artifacts"));
  registry = await createAdapterRegistry({ store, engine, artifacts, fanOut });
  const queue = createSqliteJobQueue({ db: store.db, pollMs: 20, retryDelayMs: () => 10 });
  training = await createTrainingService({
    store,
    queue,
    registry,
    artifacts,
    fanOut,
    runsFolder: join(folder, "runs"),
    modelFolder: modelDir,
    trainerEntry: join(folder, "trainer.mjs"),
    trainerThreads: 1,
    rewardVersion: "reward-1",
    rewardPath: undefined,
    rejudge: (logged) => logged,
    gate: createSampleGate({ store, registry, artifacts, modelFolder: modelDir }),
  });
  close = async () => {
    await queue.close();
    await store.close();
  };
  for (let index = 0; index < 8; index++) await logExchange(store, `e${index}`);
});
afterEach(async () => {
  if (registry.live().version !== 0) await registry.promote(0, "test", "leave the engine as it was");
  await registry.settled();
  await close();
  rmSync(folder, { recursive: true });
});

const sample = { tokens: [3, 9, 27, 81, 5, 11], from: 2 };

/** An adapter whose stored probe is what `scoredBy` (an adapter's sha256, or the base) gives. Returns its own. */
async function makeAdapter(name: string, seed: number, scoredBy: "itself" | "base" = "itself"): Promise<string> {
  const source = join(folder, name);
  const sha256 = writeSampleAdapter(source, modelDir, seed);
  await engine.loadAdapter(source);
  const logProbs = await engine.score({ ...sample, adapter: scoredBy === "itself" ? sha256 : null });
  await engine.unloadAdapter(sha256);
  return writeSampleAdapter(source, modelDir, seed, { ...sample, logProbs });
}

/** A trainer whose every run results in this adapter. */
function resultsIn(name: string, sha256: string, metrics: Record<string, number> = { klReference: 1.5 }): void {
  writeFileSync(
    join(folder, "trainer.mjs"),
    `import { cpSync, readFileSync } from "node:fs";
    const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
    const adapterFolder = job.outputDir + "/adapter";
    cpSync(${JSON.stringify(join(folder, name))}, adapterFolder, { recursive: true });
    const metrics = ${JSON.stringify(metrics)};
    process.send({ type: "succeeded", runId: job.runId, adapterFolder, sha256: ${JSON.stringify(sha256)}, metrics });`,
  );
}

async function train(promote?: boolean): Promise<TrainingRunDetail> {
  const { id } = await training.start({ algorithm: "ppo", trigger: "api", promote });
  await expect.poll(async () => (await training.get(id))?.finishedAt, { timeout: 120_000 }).toBeTruthy();
  const run = await training.get(id);
  if (run === null) throw new Error(`Run ${id} is gone`);
  return run;
}

it("makes a sound result live, and the next run continues from it", async () => {
  const first = await makeAdapter("first", 1);
  resultsIn("first", first);
  const identity = { name: "rejoinder", version: 1, sha256: first };
  expect(await train()).toMatchObject({ state: "succeeded", parent: null, result: identity, error: null });
  expect(registry.live()).toEqual({ ...identity, state: "live" });
  expect(announced).toEqual([identity]);
  const gated = told.filter(({ state }) => state === "gating").map(({ step, steps }) => `${step}/${steps}`);
  expect(gated).toEqual(expect.arrayContaining(["8/12"]));
  expect(gated.at(-1)).toBe("0/0");
  expect(await store.adapters.deployments()).toMatchObject([{ action: "promote", actor: "trainer" }]);

  resultsIn("second", await makeAdapter("second", 2));
  const run = await train();
  expect(run).toMatchObject({ state: "succeeded", parent: identity, result: { version: 2 } });
  const job = JSON.parse(readFileSync(join(folder, "runs", run.id, "job.json"), "utf8"));
  expect(job.parentAdapter).toEqual({ ...identity, folder: join(folder, "artifacts", "adapters", "1") });
});

it("leaves a sound result a candidate when asked not to promote it", async () => {
  resultsIn("first", await makeAdapter("first", 1));
  expect(await train(false)).toMatchObject({ state: "succeeded", result: { version: 1 } });
  expect(registry.live().version).toBe(0);
  expect(await registry.list()).toMatchObject([{ version: 1, state: "candidate" }]);
});

it("rejects an adapter that the engine does not serve as it was trained", async () => {
  resultsIn("first", await makeAdapter("first", 1, "base"));
  expect(await train()).toMatchObject({
    state: "rejected",
    error: { message: expect.stringMatching(/served log-probs differ from the trainer's/) },
  });
  expect(registry.live().version).toBe(0);
  await expect(registry.lease("rejoinder@1")).rejects.toMatchObject({ code: "unknown_adapter" });
});

it("rejects a policy that has drifted off, and a file that is not the one reported", async () => {
  const sha256 = await makeAdapter("first", 1);
  resultsIn("first", sha256, { klReference: 400 });
  expect(await train()).toMatchObject({
    state: "rejected",
    error: { message: expect.stringMatching(/KL.*400\.00 nats/) },
  });
  resultsIn("first", "another hash");
  expect(await train()).toMatchObject({
    state: "rejected",
    error: { message: `the trainer reported sha256 another hash, its file has ${sha256}` },
  });
  expect(registry.live().version).toBe(0);
  expect(announced).toEqual([]);
});

it("fails when the result cannot be read, and says which file", async () => {
  const sha256 = await makeAdapter("first", 1);
  resultsIn("first", sha256);
  rmSync(join(folder, "first", "adapter_config.json"));
  expect(await train()).toMatchObject({
    state: "failed",
    result: null,
    error: { code: "bad_checkpoint", message: expect.stringMatching(/adapter_config\.json/) },
  });
});
