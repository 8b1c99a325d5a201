/**
 * Jobs on Redis, one bull queue a kind, stored as bull stores them, so that what shows bull's queues shows ours.
 *
 * bull's own worker loop is not used: it takes a job before it could know whether another process works on the kind, it
 * has no cancelling, and a lock that it fails to renew goes unnoticed by the job's handler. Nor are its repeatable jobs:
 * their key is the cron text, so that changing a schedule leaves the old one's next job behind.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type Bull from "bull";
import type { JobStatus } from "../named-queue.ts";
import {
  defaultLockMs,
  type HeldJob,
  type JobEvent,
  lostWorkersError,
  mostLostWorkers,
  type QueueBackend,
  type Settlement,
} from "../queue-backend.ts";
import { keyPrefix, type RedisConnection } from "./redis-connection.ts";
import { createRedisSchedules } from "./redis-schedules.ts";
import { cancelScript, claimScript, renewScript, settleScript } from "./scripts.ts";

export interface BullBackendOptions {
  redis: RedisConnection;
  lockMs?: number;
  now?: () => Date;
  onError?: (error: unknown) => void;
}

interface StoredJob {
  payload: unknown;
  /** Counts the jobs of a kind in the order they were added. */
  number: number;
}

/** Set of all kinds that ever had a job. */
export const kindsKey = `${keyPrefix}:kinds`;
const eventsChannel = `${keyPrefix}:events`;
/** Ended jobs are forgotten after this; their ids can then be added anew. */
const keptMs = 30 * 24 * 60 * 60 * 1000;

export function createBullBackend(options: BullBackendOptions): QueueBackend {
  const { redis, lockMs = defaultLockMs, now = () => new Date(), onError = () => undefined } = options;
  const { client } = redis;
  const token = `${hostname()}:${process.pid}:${randomUUID()}`;

  const keysOf = (queue: Bull.Queue, names: readonly string[]) => names.map((name) => queue.toKey(name));
  const run = (script: string, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> =>
    client.eval(script, keys.length, ...keys, ...args);

  function tell(event: JobEvent): void {
    // A message that gets lost is made up for by looking.
    client.publish(eventsChannel, JSON.stringify(event)).catch(onError);
  }

  async function queues(): Promise<Bull.Queue[]> {
    return (await client.smembers(kindsKey)).map((kind) => redis.queue(kind));
  }

  async function statusIn(queue: Bull.Queue, id: string): Promise<{ status: JobStatus; number: number } | null> {
    const answers = await client
      .multi()
      .hgetall(queue.toKey(id))
      .zscore(queue.toKey("completed"), id)
      .zscore(queue.toKey("failed"), id)
      .lrange(queue.toKey("active"), 0, -1)
      .exec();
    const [job, completed, failed, active] = (answers ?? []).map(([error, answer]) => {
      if (error !== null) throw error;
      return answer;
    }) as [Record<string, string>, string | null, string | null, string[]];
    if (job.data === undefined) return null;
    const { payload, number }: StoredJob = JSON.parse(job.data);
    const state =
      job.cancelled !== undefined
        ? "cancelled"
        : completed !== null
          ? "done"
          : failed !== null
            ? "failed"
            : active.includes(id)
              ? "active"
              : "waiting";
    const status: JobStatus = {
      id,
      kind: queue.name,
      payload,
      state,
      attempts: Number(job.starts ?? 0),
      maxAttempts: JSON.parse(job.opts ?? "{}").attempts ?? 1,
      progress: job.report === undefined ? null : JSON.parse(job.report),
      lastError: job.failedReason ?? null,
    };
    return { status, number };
  }

  async function find(id: string): Promise<{ queue: Bull.Queue; status: JobStatus } | null> {
    for (const queue of await queues()) {
      const found = await statusIn(queue, id);
      if (found !== null) return { queue, status: found.status };
    }
    return null;
  }

  return {
    async insert({ id, kind, payload, maxAttempts, notBefore }) {
      if ((await find(id)) !== null) return;
      const queue = redis.queue(kind);
      await client.sadd(kindsKey, kind);
      const number = await client.incr(queue.toKey("numbers"));
      const stored: StoredJob = { payload, number };
      const delay = Math.max(0, (notBefore?.getTime() ?? 0) - now().getTime());
      await queue.add(stored, { jobId: id, attempts: maxAttempts, delay });
      tell({ type: "added", kind });
    },

    async claim(kind, exclusive) {
      const queue = redis.queue(kind);
      const names = ["wait", "active", "delayed", "failed", "meta-paused", "turn", "pause"];
      const args = [
        queue.toKey(""),
        token,
        lockMs,
        now().getTime(),
        exclusive ? 1 : 0,
        mostLostWorkers,
        lostWorkersError,
      ];
      const claimed = (await run(claimScript, keysOf(queue, names), args)) as [string, number, string, string] | null;
      if (claimed === null) return null;
      const [id, attempts, data, opts] = claimed;
      const { payload }: StoredJob = JSON.parse(data);
      tell({ type: "changed", id });
      return { id, kind, payload, attempts, maxAttempts: JSON.parse(opts).attempts, exclusive };
    },

    async renew({ id, kind, exclusive }) {
      const keys = keysOf(redis.queue(kind), ["active", id, `${id}:lock`, "turn"]);
      return (await run(renewScript, keys, [token, lockMs, id, exclusive ? 1 : 0])) as "kept" | "cancelled" | "lost";
    },

    async settle({ id, kind, exclusive }: HeldJob, settlement: Settlement) {
      const queue = redis.queue(kind);
      const names = ["wait", "active", "delayed", "completed", "failed", id, `${id}:lock`, "turn", "pause"];
      const error = "error" in settlement ? settlement.error : "";
      const delayMs = settlement.state === "retry" ? settlement.delayMs : 0;
      const at = now().getTime();
      const args = [token, id, settlement.state, at, exclusive ? 1 : 0, error, delayMs, queue.toKey(""), at - keptMs];
      await run(settleScript, keysOf(queue, names), args);
      tell({ type: "changed", id });
      // The kind has room for the next.
      tell({ type: "added", kind });
    },

    async setProgress(id, progress) {
      const found = await find(id);
      if (found === null) return;
      await client.hset(found.queue.toKey(id), "report", JSON.stringify(progress));
      tell({ type: "changed", id });
    },

    async cancel(id) {
      const found = await find(id);
      if (found === null) return false;
      const names = ["wait", "paused", "active", "delayed", "failed", id, `${id}:lock`, "pause"];
      const done = await run(cancelScript, keysOf(found.queue, names), [id, now().getTime()]);
      if (done !== 1) return false;
      tell({ type: "changed", id });
      tell({ type: "added", kind: found.queue.name });
      return true;
    },

    get: async (id) => (await find(id))?.status ?? null,

    async list(kind, limit) {
      const queue = redis.queue(kind);
      const [wait, paused, active, delayed, completed, failed] = await Promise.all([
        client.lrange(queue.toKey("wait"), 0, -1),
        client.lrange(queue.toKey("paused"), 0, -1),
        client.lrange(queue.toKey("active"), 0, -1),
        client.zrange(queue.toKey("delayed"), 0, -1),
        client.zrevrange(queue.toKey("completed"), 0, limit - 1),
        client.zrevrange(queue.toKey("failed"), 0, limit - 1),
      ]);
      // A job that moves meanwhile may be seen in two places.
      const ids = new Set([wait, paused, active, delayed, completed, failed].flat());
      const found = await Promise.all([...ids].map((id) => statusIn(queue, id)));
      return found
        .filter((job) => job !== null)
        .sort((a, b) => b.number - a.number)
        .slice(0, limit)
        .map((job) => job.status);
    },

    ...createRedisSchedules(client, (script, key, args) => run(script, [key], args)),

    onEvent(listener) {
      const subscriber = redis.subscriber();
      subscriber.on("message", (_channel: string, message: string) => listener(JSON.parse(message)));
      // Subscribed again by itself after a lost connection.
      subscriber.subscribe(eventsChannel).catch(onError);
    },

    close: () => redis.close(),
  };
}
