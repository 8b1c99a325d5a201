/** What a server and a worker say to each other about one program: a job's payload, and keys in Redis beside it. */
import { z } from "zod";
import { kindsKey } from "../jobs/bull/bull-backend.ts";
import { keyPrefix, type RedisClient } from "../jobs/bull/redis-connection.ts";
import type { NamedJobQueue } from "../jobs/named-queue.ts";
import type { ProgramEnd } from "../training/trainer-runner.ts";

/** Programs that a worker runs, by their entry files below the project's folder. */
export const knownPrograms = ["trainer/worker.ts", "trainer/gate/main.ts"] as const;

/** Workers take the jobs of the base model that they have. */
export const kindOf = (modelSha256: string) => `program:${modelSha256}`;
const kindShape = /^program:([0-9a-f]{64})$/;

/** Programs that wait for workers with another base model. */
export async function jobsOfOtherModels(
  client: RedisClient,
  queue: Pick<NamedJobQueue, "list">,
  modelSha256: string,
): Promise<{ id: string; model: string }[]> {
  const others: { id: string; model: string }[] = [];
  for (const kind of await client.smembers(kindsKey)) {
    const model = kindShape.exec(kind)?.[1];
    if (model === undefined || model === modelSha256) continue;
    for (const { id, state } of await queue.list(kind)) if (state === "waiting") others.push({ id, model });
  }
  return others;
}

const sharedFile = z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(0) });

/** Below a folder of the worker: no way out of it. */
export const relativePath = z
  .string()
  .refine(
    (path) => path !== "" && !path.startsWith("/") && !path.split(/[/\\]/).includes(".."),
    "a path below its folder",
  );

export const taskSchema = z.object({
  /** Names the program's output, which later jobs of the same task go on from. */
  task: z.string().regex(/^[\w./-]+$/),
  runId: z.string(),
  program: z.enum(knownPrograms),
  /** With places instead of paths; see portable-job.ts. */
  job: z.record(z.string(), z.unknown()),
  /** File name of the job in the program's folder. */
  jobName: relativePath,
  inputs: z.array(sharedFile.extend({ path: relativePath })),
});
export type Task = z.infer<typeof taskSchema>;

/** What a worker reports of its job: how many messages of the program lie in the list, and the end once it is there. */
export const reportSchema = z.object({
  messages: z.int().min(0),
  end: z.object({ code: z.number().nullable(), signal: z.string().nullable(), said: z.string() }).nullable(),
}) satisfies z.ZodType<{ messages: number; end: ProgramEnd | null }>;
export type TaskReport = z.infer<typeof reportSchema>;

export const taskKeys = (task: string) => ({
  /** Id of the task's newest job. */
  job: `${keyPrefix}:task:${task}:job`,
  /** Hash of the output folder's files: path to SharedFile. */
  outputs: `${keyPrefix}:task:${task}:outputs`,
  /** Which start of its program may write. */
  fence: `${keyPrefix}:task:${task}:fence`,
});

/** List of the program's messages, as JSON. */
export const messagesKey = (jobId: string) => `${keyPrefix}:messages:${jobId}`;

export { sharedFile as sharedFileSchema };
