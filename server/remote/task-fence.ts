/**
 * Who may write of a task. A worker that hung long enough to lose its job may come back to life beside its successor:
 * what it has to say is of the past, and is refused.
 */
import { randomUUID } from "node:crypto";
import type { RedisClient } from "../jobs/bull/redis-connection.ts";
import { sharedFileMs } from "./shared-files.ts";
import { taskKeys } from "./task.ts";

/** KEYS fence list; ARGV token ms message */
const pushScript = `
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return -1 end
local length = redis.call("RPUSH", KEYS[2], ARGV[3])
redis.call("PEXPIRE", KEYS[2], ARGV[2])
redis.call("PEXPIRE", KEYS[1], ARGV[2])
return length
`;

/** KEYS fence hash; ARGV token ms field value ... */
const setScript = `
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return -1 end
for i = 3, #ARGV, 2 do redis.call("HSET", KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call("PEXPIRE", KEYS[2], ARGV[2])
redis.call("PEXPIRE", KEYS[1], ARGV[2])
return 0
`;

export class TaskTakenOverError extends Error {}

export interface TaskFence {
  /** @returns the list's new length. @throws TaskTakenOverError */
  push(list: string, message: string): Promise<number>;
  /** @throws TaskTakenOverError */
  set(hash: string, fields: ReadonlyMap<string, string>): Promise<void>;
}

/** From here on nobody else writes of the task. */
export async function fenceTask(client: RedisClient, task: string): Promise<TaskFence> {
  const { fence } = taskKeys(task);
  const token = randomUUID();
  await client.set(fence, token, "PX", sharedFileMs);
  async function run(script: string, key: string, args: readonly string[]): Promise<number> {
    const answer = Number(await client.eval(script, 2, fence, key, token, sharedFileMs, ...args));
    if (answer === -1) throw new TaskTakenOverError("Another worker has taken the job over");
    return answer;
  }
  return {
    push: (list, message) => run(pushScript, list, [message]),
    async set(hash, fields) {
      await run(setScript, hash, [...fields].flat());
    },
  };
}
