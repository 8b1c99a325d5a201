/** What a Redis that dies, or is not there, does to a queue. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { hasRedisServer, startRedis, type TestRedis } from "../../testing/redis-server.ts";
import type { NamedJobQueue } from "../named-queue.ts";
import { createBullJobQueue } from "./bull-queue.ts";
import { connectRedis, describeRedisUrl } from "./redis-connection.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const password = "p@ss word";
const until = { timeout: 20_000, interval: 20 };

describe.runIf(hasRedisServer())("a Redis that fails", () => {
  let redis: TestRedis;
  let queues: NamedJobQueue[];
  let errors: unknown[];
  beforeEach(async () => {
    redis = await startRedis(password);
    queues = [];
    errors = [];
  });
  afterEach(async () => {
    await Promise.all(queues.map((queue) => queue.close()));
    await redis.dispose();
  });

  async function open(lockMs = 30_000): Promise<NamedJobQueue> {
    const onError = (error: unknown) => void errors.push(error);
    const connection = await connectRedis(redis.url, onError);
    const queue = createBullJobQueue({ redis: connection, onError, pollMs: 50, lockMs });
    queues.push(queue);
    return queue;
  }

  it("loses no job when it is killed and started again, and the one under way goes on", async () => {
    const queue = await open();
    const log: unknown[] = [];
    let goOn = () => {};
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    await queue.add("training", "first");
    await queue.add("training", "second");
    await queue.schedule("nightly", { kind: "training", cron: "0 3 * * *" });
    queue.process("training", async (job, signal) => {
      log.push([job.payload, job.attempt]);
      await held;
      signal.throwIfAborted();
    });
    await expect.poll(() => log, until).toEqual([["first", 1]]);
    await redis.kill();
    await expect.poll(() => errors.length, until).toBeGreaterThan(0);
    goOn();
    await redis.start();
    await expect
      .poll(async () => (await queue.list("training")).map(({ state }) => state), until)
      .toEqual(["done", "done"]);
    expect(log).toEqual([
      ["first", 1],
      ["second", 1],
    ]);
    expect(await queue.schedules()).toHaveLength(1);
    // The events of the connection that was lost are heard again.
    const other = await open();
    const told: unknown[] = [];
    queue.watch(await other.add("quiet", null, { id: "q" }), ({ state }) => told.push(state));
    await other.cancel("q");
    await expect.poll(() => told.at(-1), until).toBe("cancelled");
  });

  it("makes a worker let go when it is away for longer than the lock holds, and the job is taken up after", async () => {
    const queue = await open(300);
    const reasons: unknown[] = [];
    await queue.add("training", null, { id: "run" });
    queue.process("training", async (job, signal) => {
      if (job.attempt > 1) return;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reasons.push(signal.reason);
      signal.throwIfAborted();
    });
    await expect.poll(async () => (await queue.get("run"))?.state, until).toBe("active");
    await redis.kill();
    await expect.poll(() => reasons, until).toMatchObject([{ interruption: "closing" }]);
    await redis.start();
    await expect.poll(async () => (await queue.get("run"))?.state, until).toBe("done");
  });

  it("fails an addition within seconds, and lets a queue close", async () => {
    const queue = await open();
    let interrupted = false;
    queue.process("training", async (_job, signal) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      interrupted = true;
      signal.throwIfAborted();
    });
    await queue.add("training", null, { id: "run" });
    await expect.poll(async () => (await queue.get("run"))?.state, until).toBe("active");
    await redis.kill();
    await expect(queue.add("training", null)).rejects.toThrow(/max retries|closed/i);
    await queue.close();
    expect(interrupted).toBe(true);
    await redis.start();
    expect((await (await open()).get("run"))?.state).toBe("active");
  });

  it("is named in one sentence when it cannot be used, never with its password", async () => {
    const failed = async (url: string) => {
      const error = await connectRedis(url, () => undefined).then(
        () => new Error("connected"),
        (reason: Error) => reason,
      );
      return error.message;
    };
    const { port } = new URL(redis.url);
    expect(await failed(`redis://user:wrong@127.0.0.1:${port}/2`)).toMatch(
      new RegExp(`^cannot use Redis at redis://127\\.0\\.0\\.1:${port}/2: WRONGPASS`),
    );
    expect(await failed(`redis://127.0.0.1:${port}`)).toMatch(/: NOAUTH/);
    await redis.kill();
    const message = await failed(redis.url);
    expect(message).toBe(`cannot use Redis at redis://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`);
    expect(describeRedisUrl("rediss://me:secret@example.org:6380/1")).toBe("rediss://example.org:6380/1");
  });
});
