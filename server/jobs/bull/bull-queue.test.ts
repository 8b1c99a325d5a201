import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, vi } from "vitest";
import { hasRedisServer, startRedis, type TestRedis } from "../../testing/redis-server.ts";
import { describeJobQueue } from "../conformance.ts";
import { createBullBackend } from "./bull-backend.ts";
import { createBullJobQueue } from "./bull-queue.ts";
import { connectRedis } from "./redis-connection.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const quick = { pollMs: 20, retryDelayMs: () => 10 };
const fileOf = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const fail = (error: unknown) => console.error(error);

describe.runIf(hasRedisServer())("jobs on Redis", () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.dispose());

  describeJobQueue("bull", async () => {
    const opened: { close(): Promise<void> }[] = [];
    const connect = () => connectRedis(redis.url, fail);
    return {
      async open(options) {
        const queue = createBullJobQueue({ redis: await connect(), onError: fail, ...quick, ...options });
        opened.push(queue);
        return queue;
      },
      async openBackend(lockMs) {
        const backend = createBullBackend({ redis: await connect(), onError: fail, lockMs });
        opened.push(backend);
        return backend;
      },
      module: () => `
        const { connectRedis } = await import(${JSON.stringify(fileOf("./redis-connection.ts"))});
        const { createBullJobQueue } = await import(${JSON.stringify(fileOf("./bull-queue.ts"))});
        const redis = await connectRedis(${JSON.stringify(redis.url)}, console.error);
        const queue = createBullJobQueue({ redis, lockMs: 1500, onError: console.error });`,
      async dispose() {
        for (const queue of opened) await queue.close();
        const { client, close } = await connectRedis(redis.url, fail);
        await client.flushall();
        await close();
      },
    };
  });
});
