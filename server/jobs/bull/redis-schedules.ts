import type { Schedule } from "../named-queue.ts";
import type { QueueBackend } from "../queue-backend.ts";
import { keyPrefix, type RedisClient } from "./redis-connection.ts";
import { replaceScheduleScript } from "./scripts.ts";

type Schedules = Pick<QueueBackend, "putSchedule" | "removeSchedule" | "schedules" | "advanceSchedule">;

const schedulesKey = `${keyPrefix}:schedules`;

/** All schedules in one hash, each as JSON under its key. */
export function createRedisSchedules(
  client: RedisClient,
  run: (script: string, key: string, args: string[]) => Promise<unknown>,
): Schedules {
  const encode = ({ key, kind, cron, payload, nextAt }: Schedule) =>
    JSON.stringify({ key, kind, cron, payload, nextAt: nextAt?.toISOString() ?? null });
  return {
    async putSchedule(schedule) {
      await client.hset(schedulesKey, schedule.key, encode(schedule));
    },

    removeSchedule: async (key) => (await client.hdel(schedulesKey, key)) > 0,

    async schedules() {
      const stored = Object.values(await client.hgetall(schedulesKey));
      return stored
        .map((json) => {
          const schedule = JSON.parse(json);
          return { ...schedule, nextAt: schedule.nextAt === null ? null : new Date(schedule.nextAt) } as Schedule;
        })
        .sort((a, b) => (a.key < b.key ? -1 : 1));
    },

    async advanceSchedule(schedule, nextAt) {
      await run(replaceScheduleScript, schedulesKey, [schedule.key, encode(schedule), encode({ ...schedule, nextAt })]);
    },
  };
}
