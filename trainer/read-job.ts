/** A job file, checked before any work begins. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { TrainingJob } from "./contract.ts";
import { ppoSettingsSchema, rolloutShape, sftSettingsSchema } from "./settings.ts";
import { TrainerError } from "./trainer-error.ts";

const count = z.int().min(1);
const sha256 = z.string().min(1);

const rolloutsSchema = z.discriminatedUnion("source", [
  z.strictObject({ source: z.literal("log") }),
  z
    .strictObject(rolloutShape)
    .partial()
    .extend({
      source: z.literal("fresh"),
      prompts: z.string().min(1).nullable(),
      reward: z.string().min(1).nullable(),
    }),
]);

const jobShape = {
  runId: z.string().min(1),
  model: z.string().min(1),
  quantization: z.enum(["none", "int8", "int4"]).optional(),
  cacheDir: z.string().min(1).optional(),
  parentAdapter: z.object({ folder: z.string(), name: z.string(), version: count, sha256 }).nullable(),
  snapshot: z.string().min(1),
  snapshotSha256: sha256,
  knownAdapters: z.array(z.object({ version: count, sha256 })),
  outputDir: z.string().min(1),
  version: count,
  rewardVersion: z.string(),
  threads: count,
};

const jobSchema: z.ZodType<TrainingJob> = z.discriminatedUnion("algorithm", [
  z.object({
    ...jobShape,
    algorithm: z.literal("ppo"),
    rollouts: rolloutsSchema.optional(),
    settings: ppoSettingsSchema,
  }),
  z.object({ ...jobShape, algorithm: z.literal("sft"), settings: sftSettingsSchema }),
]);

/** @throws TrainerError `bad_job` naming the file and what does not fit */
export function readJob(path: string): TrainingJob {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new TrainerError("bad_job", `${path}: cannot be read as JSON`, { cause });
  }
  const parsed = jobSchema.safeParse(content);
  if (!parsed.success) throw new TrainerError("bad_job", `${path}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** The run that a job file names, whatever else is wrong with it; empty where it names none. */
export function runIdOf(path: string): string {
  try {
    const { runId } = JSON.parse(readFileSync(path, "utf8")) as { runId?: unknown };
    return typeof runId === "string" ? runId : "";
  } catch {
    return "";
  }
}
