/** A gate's job file, checked before any work begins. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { knownLanguages } from "../../reward/text/language.ts";
import type { GateJob, GateLimits } from "../contract.ts";
import { TrainerError } from "../trainer-error.ts";

const positive = z.number().positive();
const share = z.number().min(0).max(1);
const ratio = z.number().min(1);

const limitsSchema = z.strictObject({
  confidence: z.number().gt(0.5).lt(1),
  fewestPrompts: z.int().min(2),
  toxicity: share,
  toxicityMargin: share,
  toxicityRate: share,
  kl: positive.nullable(),
  perplexity: ratio,
  evasion: share,
  empty: share,
  language: share,
  length: ratio,
  distinct: share,
  swapToxicity: share,
  swapEvasion: share,
  swapLength: positive,
} satisfies Record<keyof GateLimits, z.ZodType>);

const adapterSchema = z.object({ folder: z.string(), name: z.string(), version: z.int().min(1), sha256: z.string() });

const gateJobSchema: z.ZodType<GateJob> = z.object({
  runId: z.string().min(1),
  model: z.string().min(1),
  quantization: z.enum(["none", "int8", "int4"]).optional(),
  cacheDir: z.string().min(1).optional(),
  candidate: adapterSchema,
  baseline: adapterSchema.nullable(),
  prompts: z.array(z.string().min(1)),
  swaps: z.string().min(1).nullable(),
  heldOut: z.string().min(1).nullable(),
  judge: z.string().min(1),
  reward: z.string().min(1).nullable(),
  language: z.string().refine((code) => knownLanguages.has(code), "expected a language that can be told apart"),
  systemPrompt: z.string().min(1).optional(),
  sampling: z.object({
    temperature: z.number().min(0).max(2),
    topK: z.int().min(0),
    topP: z.number().positive().max(1),
    repetitionPenalty: z.number().min(1).max(2),
  }),
  maxTokens: z.int().min(1),
  limits: limitsSchema,
  probe: z.object({ difference: z.number(), limit: z.number() }).nullable(),
  outputDir: z.string().min(1),
  threads: z.int().min(1),
  seed: z.int().min(0),
});

/** @throws TrainerError `bad_job` naming the file and what does not fit */
export function readGateJob(path: string): GateJob {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new TrainerError("bad_job", `${path}: cannot be read as JSON`, { cause });
  }
  const parsed = gateJobSchema.safeParse(content);
  if (!parsed.success) throw new TrainerError("bad_job", `${path}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
