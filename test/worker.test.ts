/** A server that leaves its training to `rejoinder worker` processes, over a real Redis, with a model of random weights. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { writeSampleModel } from "../server/adapters/sample-model.ts";
import type { AdapterSummary, Page, TrainingRunDetail } from "../server/protocol/index.ts";
import { hasRedisServer, startRedis, type TestRedis } from "../server/testing/redis-server.ts";
import { connectChat } from "./support/chat-client.ts";
import { projectFolder, type RunningServer, startServer } from "./support/running-server.ts";
import { type RunningWorker, startWorker } from "./support/worker.ts";

const reward = join(projectFolder, "models", "toxicity-small", "model.safetensors");
const canRun = hasRedisServer() && existsSync(reward);
if (!existsSync(reward)) console.warn(`SKIPPED: the embedded reward model is missing (${reward})`);

const until = { timeout: 120_000, interval: 50 };
const exchanges = 24;
/** So short that a killed worker loses its job within the test's time. */
const lock = { JOB_LOCK_SECONDS: "2" };

describe.runIf(canRun)("training on another machine", () => {
  let folder: string;
  let redis: TestRedis;
  let server: RunningServer;
  let settings: Record<string, string>;
  let workers: RunningWorker[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "rejoinder-remote-"));
    writeSampleModel(join(folder, "model"));
    writeSampleModel(join(folder, "other-model"), 2);
    redis = await startRedis();
    settings = { MODEL: join(folder, "model"), REDIS_URL: redis.url, THREADS: "1", ...lock };
    server = await startServer({ ...settings, TRAINER: "worker" });
    const chat = await connectChat(server.url);
    for (let seed = 0; seed < exchanges; seed++) {
      await chat.say(`Nobody wants you here, number ${seed}.`, {
        consent: true,
        maxTokens: 8,
        temperature: 1,
        topP: 1,
        seed,
      });
    }
    chat.close();
  }, 120_000);
  afterAll(async () => {
    await server?.stop();
    server?.remove();
    await redis?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    for (const worker of workers) {
      await worker.stop();
      worker.remove();
    }
    workers = [];
  });

  async function work(change: Record<string, string> = {}, dataDir?: string): Promise<RunningWorker> {
    const worker = await startWorker({ ...settings, ...change }, dataDir);
    workers.push(worker);
    return worker;
  }

  async function post<Answer>(path: string, body: object = {}): Promise<Answer> {
    const headers = { "content-type": "application/json" };
    return (await fetch(`${server.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) })).json();
  }

  /** One exchange a step: `epochs` times as many steps as exchanges. */
  async function startRun(epochs = 1): Promise<string> {
    const small = { epochs, batchSize: 1, valueWarmupSteps: 2, rank: 2, earlyStopKl: 1000 };
    return (await post<{ id: string }>("/api/training/runs", { algorithm: "ppo", promote: false, settings: small })).id;
  }

  async function look(id: string): Promise<TrainingRunDetail> {
    return (await fetch(`${server.url}/api/training/runs/${id}`)).json();
  }

  async function ended(id: string): Promise<TrainingRunDetail> {
    await expect.poll(async () => (await look(id)).finishedAt, until).toBeTruthy();
    return look(id);
  }

  /** Every step is on the curve once. */
  function expectWhole({ state, error, steps, history }: TrainingRunDetail): void {
    expect({ state, error }).toEqual({ state: "succeeded", error: null });
    expect(steps).toBeGreaterThan(0);
    expect(history.map(({ step }) => step)).toEqual(Array.from({ length: steps }, (_, index) => index + 1));
  }

  it("a run that is posted to the server is trained by the worker, and its adapter comes back", async () => {
    const worker = await work();
    const run = await ended(await startRun());
    expectWhole(run);
    expect(worker.said()).toContain(`Takes trainer/worker.ts of run ${run.id}`);
    const { items } = (await (await fetch(`${server.url}/api/adapters`)).json()) as Page<AdapterSummary>;
    expect(items.find(({ version }) => version === run.result?.version)).toMatchObject({
      sha256: run.result?.sha256,
      state: "candidate",
    });
    // Nothing of the job stays on the worker's machine.
    await expect.poll(() => readdirSync(join(worker.dataDir, "worker", String(worker.process.pid))), until).toEqual([]);
  }, 180_000);
});
