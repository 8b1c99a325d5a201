/** A server that leaves its training to `rejoinder worker` processes, over a real Redis, with a model of random weights. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { writeSampleModel } from "../server/adapters/sample-model.ts";
import { connectRedis } from "../server/jobs/bull/redis-connection.ts";
import type { AdapterSummary, Page, TrainingRunDetail } from "../server/protocol/index.ts";
import { taskKeys } from "../server/remote/task.ts";
import { hasRedisServer, startRedis, type TestRedis } from "../server/testing/redis-server.ts";
import { connectChat } from "./support/chat-client.ts";
import { projectFolder, type RunningServer, startServer } from "./support/running-server.ts";
import { type RunningWorker, startWorker } from "./support/worker.ts";

const reward = join(projectFolder, "models", "toxicity-small", "model.safetensors");
const canRun = hasRedisServer() && existsSync(reward);
if (!existsSync(reward)) console.warn(`SKIPPED: the embedded reward model is missing (${reward})`);

const until = { timeout: 120_000, interval: 50 };
/** So many that ten epochs of them take longer than the second that passes between two looks at a worker's checkpoint. */
const exchanges = 72;
/** So short that a killed worker loses its job within the test's time. */
const lock = { JOB_LOCK_SECONDS: "3" };

describe.runIf(canRun)("training on another machine", () => {
  let folder: string;
  let redis: TestRedis;
  let server: RunningServer;
  let settings: Record<string, string>;
  let workers: RunningWorker[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "rejoinder-remote-"));
    writeSampleModel(join(folder, "model"), 1, 96);
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

  async function post<Answer>(url: string, body: object = {}): Promise<Answer> {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`POST ${url}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /**
   * One exchange a step: `epochs` times as many steps as exchanges. Neither an early stop nor the rejection of replies
   * that the policy has moved away from, to which hundreds of steps on random weights come, leaves a step out.
   */
  async function startRun(epochs = 1, url = server.url): Promise<string> {
    const small = { epochs, batchSize: 1, valueWarmupSteps: 2, rank: 2, earlyStopKl: 100, maxSequenceLogRatio: 20 };
    const asked = { algorithm: "ppo", promote: false, settings: small };
    return (await post<{ id: string }>(`${url}/api/training/runs`, asked)).id;
  }

  async function look(id: string): Promise<TrainingRunDetail> {
    return (await fetch(`${server.url}/api/training/runs/${id}`)).json();
  }

  async function ended(id: string): Promise<TrainingRunDetail> {
    await expect.poll(async () => (await look(id)).finishedAt, until).toBeTruthy();
    return look(id);
  }

  /** Paths of what is shared of the run's output folder. */
  async function outputsOf(id: string): Promise<string[]> {
    const { client, close } = await connectRedis(redis.url, console.error);
    try {
      return await client.hkeys(taskKeys(`${id}/trainer/worker.ts`).outputs);
    } finally {
      await close();
    }
  }

  /** Every step is on the curve once. */
  function expectWhole({ state, error, steps, history }: TrainingRunDetail): void {
    expect({ state, error }).toEqual({ state: "succeeded", error: null });
    expect(steps).toBeGreaterThan(0);
    expect(history.map(({ step }) => step)).toEqual(Array.from({ length: steps }, (_, index) => index + 1));
  }

  it("a run that is posted to the server is trained by the worker that has its model, and its adapter comes back", async () => {
    const other = await work({ MODEL: join(folder, "other-model") });
    const id = await startRun();
    await expect
      .poll(() => other.said(), until)
      .toMatch(new RegExp(`Leaves job ${id}.* to others: it is for the model`));
    expect((await look(id)).step).toBe(0);
    const worker = await work();
    const run = await ended(id);
    expectWhole(run);
    expect(worker.said()).toContain(`Takes trainer/worker.ts of run ${id}`);
    const { items } = (await (await fetch(`${server.url}/api/adapters`)).json()) as Page<AdapterSummary>;
    expect(items.find(({ version }) => version === run.result?.version)).toMatchObject({
      sha256: run.result?.sha256,
      state: "candidate",
    });
    // Nothing of the job stays on the worker's machine.
    await expect.poll(() => readdirSync(join(worker.dataDir, "worker", String(worker.process.pid))), until).toEqual([]);
  }, 300_000);

  it("a worker that is killed loses its run to another, which goes on from the last checkpoint", async () => {
    const first = await work();
    // As many steps as there may be: an idle machine takes hundreds a second.
    const id = await startRun(10);
    await expect.poll(() => outputsOf(id), until).toContain("checkpoint.safetensors");
    expect((await look(id)).state).toBe("running");
    await first.stop("SIGKILL");
    const second = await work();
    expectWhole(await ended(id));
    expect(second.said()).toContain(`of run ${id}, start 2`);
    expect(second.said()).toContain(`Goes on from what is shared of run ${id}`);

    // The program that the first one left running is ended by the next worker on its folder.
    const scratch = join(first.dataDir, "worker", String(first.process.pid));
    expect(existsSync(scratch)).toBe(true);
    await work({}, first.dataDir);
    expect(existsSync(scratch)).toBe(false);
  }, 300_000);

  it("a run outlives a worker that is told to end, and a Redis that is killed and started again", async () => {
    const first = await work();
    const id = await startRun(5);
    await expect.poll(async () => (await look(id)).step, until).toBeGreaterThan(0);
    expect(await first.stop("SIGTERM")).toBe(0);
    expect(first.said()).toContain(`Lets go of run ${id}`);
    const second = await work();
    // The start that was let go of does not count.
    await expect.poll(() => second.said(), until).toMatch(new RegExp(`of run ${id}$`, "m"));
    await redis.kill();
    await redis.start();
    expectWhole(await ended(id));
  }, 300_000);

  it("a run that is cancelled is stopped on its worker, and one asked of another server is next", async () => {
    const worker = await work();
    const beside = await startServer({ ...settings, TRAINER: "worker" }, server.dataDir);
    try {
      const id = await startRun(10);
      const next = await startRun(1, beside.url);
      await expect.poll(async () => (await look(id)).step, until).toBeGreaterThan(0);
      expect((await look(next)).state).toBe("queued");
      await post(`${beside.url}/api/training/runs/${id}/cancel`);
      expect(await ended(id)).toMatchObject({ state: "cancelled", result: null });
      await expect.poll(() => worker.said(), until).toContain(`Run ${id} was cancelled`);
      expectWhole(await ended(next));
    } finally {
      await beside.stop();
    }
  }, 300_000);

  it("a server that is killed finds its run again, trained by the worker meanwhile", async () => {
    await work();
    const id = await startRun(5);
    await expect.poll(async () => (await look(id)).step, until).toBeGreaterThan(0);
    const { dataDir } = server;
    await server.stop("SIGKILL");
    server = await startServer({ ...settings, TRAINER: "worker" }, dataDir);
    expectWhole(await ended(id));
  }, 300_000);
});
