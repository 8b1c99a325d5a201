/** The job queue as the settings ask for it. */
import { type Config, SettingError } from "../config.ts";
import type { Store } from "../ports.ts";
import { createBullJobQueue } from "./bull/bull-queue.ts";
import { connectRedis, type RedisConnection, RedisUnreachableError } from "./bull/redis-connection.ts";
import type { NamedJobQueue } from "./named-queue.ts";
import { createSqliteJobQueue } from "./sqlite-queue.ts";

export interface OpenedQueue {
  queue: NamedJobQueue;
  /** The Redis that the jobs are on; closed with the queue. Null where they are in the store. */
  redis: RedisConnection | null;
  /** Names this installation among those that share the queue. */
  lineage: string;
}

type Onlooker = (error: unknown) => void;

/** @throws SettingError when Redis cannot be used; the sentence names the place, without its password */
export async function openRedisQueue(
  config: Pick<Config, "redisUrl" | "jobLockMs">,
  onError: Onlooker,
): Promise<{ queue: NamedJobQueue; redis: RedisConnection }> {
  const { redisUrl, jobLockMs: lockMs } = config;
  if (redisUrl === undefined) throw new SettingError("REDIS_URL: expected a value: the queue to take jobs from.");
  try {
    const redis = await connectRedis(redisUrl, onError);
    return { queue: createBullJobQueue({ redis, lockMs, onError }), redis };
  } catch (cause) {
    if (!(cause instanceof RedisUnreachableError)) throw cause;
    throw new SettingError(`REDIS_URL: ${cause.message}.`, { cause });
  }
}

/** @throws SettingError when REDIS_URL is set and cannot be used */
export async function openQueue(
  config: Pick<Config, "redisUrl" | "jobLockMs">,
  store: Pick<Store, "db" | "installation">,
  onError: Onlooker,
): Promise<OpenedQueue> {
  const { redisUrl, jobLockMs: lockMs } = config;
  if (redisUrl === undefined) {
    return { queue: createSqliteJobQueue({ db: store.db, lockMs, onError }), redis: null, lineage: "rejoinder" };
  }
  return { ...(await openRedisQueue(config, onError)), lineage: await store.installation() };
}
