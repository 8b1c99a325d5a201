import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeSafetensors } from "../../engine/checkpoint/safetensors.ts";
import type { TrainingJob } from "../../trainer/contract.ts";
import { createAdapterRegistry } from "../adapters/registry.ts";
import { createFolderArtifacts } from "../artifacts/folder.ts";
import type { NamedJobQueue } from "../jobs/named-queue.ts";
import { createSqliteJobQueue } from "../jobs/sqlite-queue.ts";
import type { FanOut } from "../ports.ts";
import type { TrainingRun } from "../protocol/index.ts";
import { openStore, type Store } from "../store/index.ts";
import { logExchange } from "./sample-log.ts";
import { createTrainingService, type TrainingService } from "./service.ts";

// Every start of a trainer is a start of Node, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

/** No run of these tests gets as far as the engine: what they train is empty. */
const base = { id: "tiny", architecture: "llama", parameters: 1, quantization: "none" as const, contextLength: 64 };
const engine = {
  model: { ...base, sha256: "base-hash", hasAdapterSupport: true },
  loadAdapter: () => Promise.reject(new Error("no adapter of these tests is sound enough to be loaded")),
  unloadAdapter: () => Promise.reject(new Error("nothing was loaded")),
  score: () => Promise.reject(new Error("nothing was loaded")),
};

let folder: string;
let told: { event: string; payload: unknown }[];
const fanOut: FanOut = {
  chat: (event, payload) => void told.push({ event, payload }),
  ops: (event, payload) => void told.push({ event, payload }),
};

interface Server {
  store: Store;
  queue: NamedJobQueue;
  training: TrainingService;
  stop(): Promise<void>;
}
let servers: Server[];

/** What a server puts together at its start, on the data folder of this test. */
async function startServer(trainerEntry: string): Promise<Server> {
  const store = await openStore(join(folder, "rejoinder.sqlite"));
  const artifacts = createFolderArtifacts(folder);
  const registry = await createAdapterRegistry({ store, artifacts, engine, fanOut });
  const queue = createSqliteJobQueue({ db: store.db, pollMs: 20, retryDelayMs: () => 10 });
  const training = await createTrainingService({
    store,
    queue,
    registry,
    artifacts,
    fanOut,
    runsFolder: join(folder, "runs"),
    modelFolder: join(folder, "model"),
    trainerEntry,
    trainerThreads: 1,
    rewardVersion: "reward-1",
    rewardPath: undefined,
    rejudge: (logged) => logged,
    gate: { run: () => Promise.reject(new Error("no adapter of these tests is sound enough to be asked")) },
    killAfterMs: 2000,
  });
  let stopped = false;
  const server = {
    store,
    queue,
    training,
    async stop() {
      if (stopped) return;
      stopped = true;
      await queue.close();
      await store.close();
    },
  };
  servers.push(server);
  return server;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-training-"));
  told = [];
  servers = [];
  mkdirSync(join(folder, "empty-adapter"));
  const zeros = { data: new Float32Array(4), shape: [2, 2] };
  const tensors = new Map([["base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", zeros]]);
  writeFileSync(join(folder, "empty-adapter", "adapter_model.safetensors"), encodeSafetensors(tensors, "F32"));
  const config = { peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: ["q_proj"] };
  writeFileSync(join(folder, "empty-adapter", "adapter_config.json"), JSON.stringify(config));
  writeFileSync(
    join(folder, "empty-adapter", "rejoinder.json"),
    JSON.stringify({ baseModel: { sha256: "base-hash" }, metrics: {} }),
  );
});
afterEach(async () => {
  for (const server of servers) await server.stop();
  rmSync(folder, { recursive: true });
});

/** A trainer that does what the lines say, with `job`, `report` and `starts` (how often it was started) at hand. */
function trainer(lines: string): string {
  const entry = join(folder, "trainer.mjs");
  writeFileSync(
    entry,
    `import { appendFileSync, cpSync, existsSync, readFileSync } from "node:fs";
    const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
    appendFileSync(job.outputDir + "/starts", "x");
    const starts = readFileSync(job.outputDir + "/starts", "utf8").length;
    const report = (event) => {
      const whole = { runId: job.runId, ...event };
      appendFileSync(job.outputDir + "/metrics.jsonl", JSON.stringify(whole) + "\\n");
      process.send(whole);
    };
    const exchanges = readFileSync(job.snapshot, "utf8").split("\\n").length - 1;
    const finish = () => {
      cpSync(${JSON.stringify(join(folder, "empty-adapter"))}, job.outputDir + "/adapter", { recursive: true });
      report({ type: "succeeded", adapterFolder: job.outputDir + "/adapter", sha256: "", metrics: { klReference: 1 } });
    };
    report({ type: "started", exchanges, discarded: {}, steps: 2 });
    ${lines}`,
  );
  return entry;
}

/** Ends with 75 when told to stop, and by itself when it was started before. */
const patient = `
  process.on("SIGTERM", () => process.exit(75));
  if (starts > 1) { finish(); process.exit(0); }
  setInterval(() => {}, 1000);`;

async function ended(server: Server, id: string): Promise<TrainingRun> {
  await expect
    .poll(async () => (await server.training.get(id))?.finishedAt, { timeout: 15_000, interval: 20 })
    .toBeTruthy();
  const run = await server.training.get(id);
  if (run === null) throw new Error(`Run ${id} is gone`);
  return run;
}

async function logMany(store: Store, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await logExchange(store, `e${index}`);
}

const ppo = { algorithm: "ppo", trigger: "api" } as const;

describe("a training run", () => {
  it("fails clearly when there is too little to learn from", async () => {
    const server = await startServer(trainer("finish();"));
    await logMany(server.store, 7);
    await logExchange(server.store, "without consent", { accepted: { consent: false } });
    const { id } = await server.training.start(ppo);
    expect(await ended(server, id)).toMatchObject({
      state: "failed",
      exchanges: 7,
      error: { code: "too_few_exchanges", message: expect.stringMatching(/at least 8.*found 7/) },
    });
    expect((await server.queue.get(id))?.attempts).toBe(1);
  });

  it("hands the trainer a job, keeps its curve and tells the operators as it goes", async () => {
    const server = await startServer(
      trainer(`
        report({ type: "metric", step: 1, steps: 2, values: { reward: 0.25, loss: 2 } });
        report({ type: "metric", step: 2, steps: 2, values: { reward: 0.5, loss: NaN } });
        finish();`),
    );
    await logMany(server.store, 9);
    const { id } = await server.training.start({ ...ppo, settings: { learningRate: 0.01 }, maxExchanges: 8 });
    await ended(server, id);
    const job: TrainingJob = JSON.parse(readFileSync(join(folder, "runs", id, "job.json"), "utf8"));
    expect(job).toEqual({
      runId: id,
      algorithm: "ppo",
      model: join(folder, "model"),
      parentAdapter: null,
      snapshot: join(folder, "runs", id, "snapshot.jsonl"),
      snapshotSha256: createHash("sha256").update(readFileSync(job.snapshot)).digest("hex"),
      knownAdapters: [],
      outputDir: join(folder, "runs", id),
      version: 1,
      rewardVersion: "reward-1",
      threads: 1,
      settings: { learningRate: 0.01 },
    });
    expect(await server.training.get(id)).toMatchObject({
      exchanges: 8,
      step: 2,
      steps: 2,
      history: [
        { step: 1, values: { reward: 0.25, loss: 2 } },
        { step: 2, values: { reward: 0.5 } },
      ],
    });
    const states = told.flatMap(({ event, payload }) => (event === "run" ? [(payload as TrainingRun).state] : []));
    expect([...new Set(states)]).toEqual(["queued", "running", "gating", "rejected"]);
    expect(told.filter(({ event }) => event === "metric")).toHaveLength(2);
  });

  it("refuses rounded gradients where weights are not int8, before anything is queued", async () => {
    const server = await startServer(trainer("finish();"));
    const asked = { algorithm: "ppo" as const, trigger: "api" as const, settings: { gradients: "rounded" as const } };
    await expect(server.training.start(asked)).rejects.toMatchObject({ status: 400, code: "gradients_need_int8" });
    expect(await server.training.list(10)).toEqual([]);
  });

  it("takes no logged exchange where a user's own prompts are answered", async () => {
    const server = await startServer(trainer("finish();"));
    await logMany(server.store, 8);
    const prompts = [{ messages: [{ role: "user" as const, content: "They are all lazy." }] }];
    const { id } = await server.training.start({ ...ppo, rollouts: { source: "fresh", prompts } });
    await ended(server, id);
    expect(readFileSync(join(folder, "runs", id, "snapshot.jsonl"), "utf8")).toBe("");
    expect(await server.store.lineage.exchangeIdsOf([id])).toEqual([]);
  });

  it("does not serve an adapter in which nothing was learned", async () => {
    const server = await startServer(trainer("finish();"));
    await logMany(server.store, 8);
    const { id } = await server.training.start(ppo);
    expect(await ended(server, id)).toMatchObject({
      state: "rejected",
      result: { name: "rejoinder", version: 1 },
      error: { code: "rejected", message: expect.stringMatching(/empty/) },
    });
    expect(await server.store.adapters.list()).toMatchObject([{ version: 1, state: "rejected", runId: id }]);
    expect(await server.store.adapters.deployments()).toMatchObject([{ action: "reject", actor: "trainer" }]);
  });

  it("waits while another runs, and takes its turn after", async () => {
    const server = await startServer(trainer(patient));
    await logMany(server.store, 8);
    const first = await server.training.start(ppo);
    const second = await server.training.start(ppo);
    await expect.poll(async () => (await server.training.get(first.id))?.steps, { timeout: 10_000 }).toBe(2);
    expect((await server.training.get(second.id))?.state).toBe("queued");
    expect(await server.training.status()).toEqual({ state: "running", runId: first.id });
    await server.training.cancel(first.id);
    await expect
      .poll(async () => (await server.training.get(second.id))?.state, { timeout: 10_000 })
      .not.toBe("queued");
  });
});

describe("a trainer that does not end in order", () => {
  it("is started again with the same job, three times at most, and its last words are kept", async () => {
    const server = await startServer(trainer(`console.error("out of luck, time " + starts); process.exit(1);`));
    await logMany(server.store, 8);
    const { id } = await server.training.start(ppo);
    expect(await ended(server, id)).toMatchObject({
      state: "failed",
      error: { code: "crashed", message: expect.stringMatching(/3 times.*exit code 1:\nout of luck, time 3/s) },
    });
    expect(readFileSync(join(folder, "runs", id, "starts"), "utf8")).toBe("xxx");
  });

  it("goes on after being killed", async () => {
    const server = await startServer(
      trainer(`
        report({ type: "metric", step: starts, steps: 2, values: { reward: starts } });
        if (starts === 1) process.kill(process.pid, "SIGKILL");
        finish();`),
    );
    await logMany(server.store, 8);
    const { id } = await server.training.start(ppo);
    expect((await ended(server, id)).state).toBe("rejected");
    expect((await server.training.get(id))?.history.map((point) => point.values.reward)).toEqual([1, 2]);
  });

  it("is started again after a failure that may pass, and keeps its code when it does not", async () => {
    const server = await startServer(
      trainer(
        `report({ type: "failed", error: { code: "reward_failed", message: "no answer" } }); process.exitCode = 1;`,
      ),
    );
    await logMany(server.store, 8);
    const { id } = await server.training.start(ppo);
    expect(await ended(server, id)).toMatchObject({
      state: "failed",
      error: { code: "reward_failed", message: "Failed 3 times, last: no answer" },
    });
    expect(readFileSync(join(folder, "runs", id, "starts"), "utf8")).toBe("xxx");
  });

  it("is not started again when it says itself why it cannot go on", async () => {
    const server = await startServer(
      trainer(`report({ type: "failed", error: { code: "stale", message: "all too old" } }); process.exitCode = 1;`),
    );
    await logMany(server.store, 8);
    const { id } = await server.training.start(ppo);
    expect(await ended(server, id)).toMatchObject({
      state: "failed",
      error: { code: "stale", message: "all too old" },
    });
    expect(readFileSync(join(folder, "runs", id, "starts"), "utf8")).toBe("x");
  });
});

describe("stopping", () => {
  it("cancels a running run by stopping its trainer, and a waiting one at once", async () => {
    const server = await startServer(trainer(patient));
    await logMany(server.store, 8);
    const running = await server.training.start(ppo);
    await expect.poll(async () => (await server.training.get(running.id))?.steps, { timeout: 10_000 }).toBe(2);
    const waiting = await server.training.start(ppo);
    expect(await server.training.cancel(waiting.id)).toMatchObject({ state: "cancelled" });
    await server.training.cancel(running.id);
    expect(await ended(server, running.id)).toMatchObject({ state: "cancelled", error: { code: "cancelled" } });
    expect(await server.training.cancel(running.id)).toBe("ended");
    expect(await server.training.cancel("no such run")).toBeNull();
    expect(await server.training.status()).toEqual({ state: "idle", runId: null });
  });

  it("leaves a run to the next start of the server, which resumes it with the same job", async () => {
    const first = await startServer(trainer(patient));
    await logMany(first.store, 8);
    const { id } = await first.training.start(ppo);
    await expect.poll(async () => (await first.training.get(id))?.steps, { timeout: 10_000 }).toBe(2);
    const job = readFileSync(join(folder, "runs", id, "job.json"), "utf8");
    await first.stop();

    const second = await startServer(trainer(patient));
    expect((await ended(second, id)).state).toBe("rejected");
    expect(readFileSync(join(folder, "runs", id, "job.json"), "utf8")).toBe(job);
    expect(readFileSync(join(folder, "runs", id, "starts"), "utf8")).toBe("xx");
    expect((await second.queue.get(id))?.attempts).toBe(1);
  });

  it("queues again a run that was written down but not yet queued when its server died", async () => {
    const first = await startServer(trainer("finish();"));
    await logMany(first.store, 8);
    await first.stop();
    const store = await openStore(join(folder, "rejoinder.sqlite"));
    await store.runs.insert({
      id: "left",
      algorithm: "ppo",
      state: "queued",
      trigger: "api",
      createdAt: new Date().toISOString(),
      startedAt: null,
      finishedAt: null,
      parent: null,
      result: null,
      exchanges: 0,
      step: 0,
      steps: 0,
      metrics: {},
      error: null,
      version: null,
      settings: { algorithm: "ppo" },
    });
    await store.close();
    const second = await startServer(join(folder, "trainer.mjs"));
    expect((await ended(second, "left")).state).toBe("rejected");
    expect(existsSync(join(folder, "adapters", "1", "rejoinder.json"))).toBe(true);
  });
});
