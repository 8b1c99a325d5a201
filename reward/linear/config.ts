/** The linear classifier's configuration file. */
import { z } from "zod";
import { calibration, commonFields, parseConfig, powerOfTwo } from "../classifier-config.ts";

const configSchema = z.object({
  format: z.literal("rejoinder-linear-classifier"),
  ...commonFields,
  /** Hash buckets, one weight each. */
  buckets: powerOfTwo,
  /** What one step of a stored 8-bit weight is worth. */
  weightStep: z.number().positive(),
  calibration,
});

export type LinearConfig = z.infer<typeof configSchema>;

export const linearFormat = "rejoinder-linear-classifier" satisfies LinearConfig["format"];
export const currentLinearFeatures = 1;

/** @throws Error naming the file and what is wrong in it */
export function parseLinearConfig(text: string, path: string): LinearConfig {
  return parseConfig(configSchema, { text, path, featureVersion: currentLinearFeatures });
}
