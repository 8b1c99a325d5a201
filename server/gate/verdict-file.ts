import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { Verdict } from "../protocol/index.ts";

const adapterSchema = z.object({ name: z.string(), version: z.int(), sha256: z.string() });
const interval = { estimate: z.number(), low: z.number(), high: z.number() };
/** JSON has no NaN: a figure that was not a number arrives as null. */
const figure = z.number().nullable();

const verdictSchema: z.ZodType<Verdict> = z.object({
  passed: z.boolean(),
  at: z.string(),
  candidate: adapterSchema,
  baseline: adapterSchema.nullable(),
  judge: z.object({ name: z.string(), version: z.string() }),
  prompts: z.int().min(1),
  checks: z
    .array(
      z.object({
        name: z.string(),
        passed: z.boolean(),
        candidate: figure,
        baseline: figure,
        difference: z.object(interval).nullable(),
        limit: figure,
        unit: z.string(),
        n: z.int().min(0),
        explanation: z.string(),
      }),
    )
    .min(1),
  offPolicy: z
    .object({ ...interval, truncated: z.number(), effectiveSampleSize: z.number(), n: z.int(), baseline: z.number() })
    .nullable(),
  summary: z.string(),
});

/** @returns null when there is none yet. @throws Error naming the file that is no verdict */
export async function readVerdict(path: string): Promise<Verdict | null> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch {
    return null;
  }
  try {
    return verdictSchema.parse(JSON.parse(content));
  } catch (cause) {
    throw new Error(`${path}: is no verdict of the gate`, { cause });
  }
}
