/** What the configuration files of this project's own classifiers have in common. */
import { z } from "zod";

/** Hash buckets: a power of two. */
export const powerOfTwo = z
  .number()
  .int()
  .min(2)
  .refine((n) => Number.isInteger(Math.log2(n)), "must be a power of two");

/** Platt scaling: log-odds = scale * raw + offset. */
export const calibration = z.object({ scale: z.number().positive(), offset: z.number() });

export const commonFields = {
  name: z.string().min(1),
  /** Changes whenever normalisation or features do: weights fit only the features they were trained on. */
  featureVersion: z.number().int(),
  weights: z.object({ file: z.string().regex(/^[\w-]+\.safetensors$/), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
};

/** @throws Error naming the file and what is wrong in it */
export function parseConfig<Config extends { featureVersion: number }>(
  schema: z.ZodType<Config>,
  { text, path, featureVersion }: { text: string; path: string; featureVersion: number },
): Config {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path}: is not JSON`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Error(`${path}: ${z.prettifyError(parsed.error)}`);
  if (parsed.data.featureVersion !== featureVersion) {
    throw new Error(`${path}: expected featureVersion ${featureVersion}, got ${parsed.data.featureVersion}`);
  }
  return parsed.data;
}
