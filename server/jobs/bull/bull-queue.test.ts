import { afterAll, beforeAll, describe, vi } from "vitest";
import { hasRedisServer, startRedis, type TestRedis } from "../../testing/redis-server.ts";
import { describeJobQueue } from "../conformance.ts";
import type { NamedJobQueue } from "../named-queue.ts";
import { createBullJobQueue } from "./bull-queue.ts";
import { connectRedis } from "./redis-connection.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const quick = { pollMs: 20, retryDelayMs: () => 10 };
const fail = (error: unknown) => console.error(error);

describe.runIf(hasRedisServer())("jobs on Redis", () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.dispose());

  describeJobQueue("bull", async () => {
    const opened: NamedJobQueue[] = [];
    return {
      async open() {
        const queue = createBullJobQueue({ redis: await connectRedis(redis.url, fail), onError: fail, ...quick });
        opened.push(queue);
        return queue;
      },
      async dispose() {
        for (const queue of opened) await queue.close();
        const { client, close } = await connectRedis(redis.url, fail);
        await client.flushall();
        close();
      },
    };
  });
});
