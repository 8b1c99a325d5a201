/** The linear classifier's configuration file. */
import { z } from "zod";

const configSchema = z.object({
  format: z.literal("rejoinder-linear-classifier"),
  name: z.string().min(1),
  /** Changes whenever `features.ts` does: weights fit only the features they were trained on. */
  featureVersion: z.number().int(),
  /** Hash buckets, one weight each; a power of two. */
  buckets: z
    .number()
    .int()
    .min(2)
    .refine((n) => Number.isInteger(Math.log2(n)), "must be a power of two"),
  /** What one step of a stored 8-bit weight is worth. */
  weightStep: z.number().positive(),
  /** Log-odds = scale * raw + offset (Platt scaling). */
  calibration: z.object({ scale: z.number().positive(), offset: z.number() }),
  weights: z.object({ file: z.string().regex(/^[\w-]+\.safetensors$/), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
});

export type LinearConfig = z.infer<typeof configSchema>;

export const linearFormat = "rejoinder-linear-classifier" satisfies LinearConfig["format"];
export const currentLinearFeatures = 1;

/** @throws Error naming the file and what is wrong in it */
export function parseLinearConfig(text: string, path: string): LinearConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path}: is not JSON`, { cause });
  }
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) throw new Error(`${path}: ${z.prettifyError(parsed.error)}`);
  if (parsed.data.featureVersion !== currentLinearFeatures) {
    throw new Error(`${path}: expected featureVersion ${currentLinearFeatures}, got ${parsed.data.featureVersion}`);
  }
  return parsed.data;
}
