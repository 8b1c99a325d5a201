/** A job file, checked before any work begins. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { PpoSettings, TrainingJob } from "./contract.ts";
import { TrainerError } from "./trainer-error.ts";

const positive = z.number().positive();
const count = z.int().min(1);

const settingsSchema = z.strictObject({
  epochs: count,
  batchSize: count,
  learningRate: positive,
  clipRange: positive,
  maxImportanceWeight: z.number().min(1),
  maxStaleness: z.int().min(0),
  gamma: z.number().min(0).max(1),
  lambda: z.number().min(0).max(1),
  klCoefficient: z.number().min(0),
  klTarget: positive,
  klHorizon: positive,
  earlyStopKl: positive,
  maxGradientNorm: positive,
  valueWarmupSteps: z.int().min(0),
  rank: count,
  alpha: positive,
  seed: z.int().min(0),
} satisfies Record<keyof PpoSettings, z.ZodType>);

const jobSchema: z.ZodType<TrainingJob> = z.object({
  runId: z.string().min(1),
  algorithm: z.enum(["ppo", "sft"]),
  model: z.string().min(1),
  quantization: z.enum(["none", "int8", "int4"]).optional(),
  cacheDir: z.string().min(1).optional(),
  parentAdapter: z
    .object({ folder: z.string(), name: z.string(), version: z.int().min(1), sha256: z.string() })
    .nullable(),
  snapshot: z.string().min(1),
  outputDir: z.string().min(1),
  version: z.int().min(1),
  rewardVersion: z.string(),
  threads: count,
  settings: settingsSchema.partial(),
});

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
