/** The classifier's configuration file and the parameters that it implies. */
import { z } from "zod";
import { calibration, commonFields, parseConfig, powerOfTwo } from "../classifier-config.ts";

const configSchema = z.object({
  format: z.literal("rejoinder-toxicity-classifier"),
  ...commonFields,
  wideBuckets: powerOfTwo,
  embeddingBuckets: powerOfTwo,
  windowWords: powerOfTwo,
  embeddingSize: z.number().int().positive(),
  filters: z.number().int().positive(),
  hiddenSize: z.number().int().positive(),
  /** Attributes in the order of the network's outputs; the first is the toxicity itself. */
  heads: z.array(z.string().min(1)).min(1),
  /** Of each head's raw output. */
  calibration: z.array(calibration),
});

export type ClassifierConfig = z.infer<typeof configSchema>;
export type ClassifierShape = Pick<
  ClassifierConfig,
  "wideBuckets" | "embeddingBuckets" | "windowWords" | "embeddingSize" | "filters" | "hiddenSize" | "heads"
>;

export const currentFeatureVersion = 1;

/** @throws Error naming the file and what is wrong in it */
export function parseClassifierConfig(text: string, path: string): ClassifierConfig {
  const config = parseConfig(configSchema, { text, path, featureVersion: currentFeatureVersion });
  if (config.calibration.length !== config.heads.length) {
    throw new Error(`${path}: expected ${config.heads.length} calibrations, got ${config.calibration.length}`);
  }
  return config;
}

/**
 * Name and shape of each parameter:
 * wide [buckets, heads]; embedding [buckets, e]; convolution [filters, 3 e] over three neighbouring words;
 * hidden [h, filters + e] over the pooled filters and the mean word; output [heads, h].
 */
export function parameterShapes(shape: ClassifierShape): Map<ParameterName, readonly number[]> {
  const { wideBuckets, embeddingBuckets, embeddingSize, filters, hiddenSize, heads } = shape;
  return new Map<ParameterName, readonly number[]>([
    ["wide.weight", [wideBuckets, heads.length]],
    ["embedding.weight", [embeddingBuckets, embeddingSize]],
    ["convolution.weight", [filters, 3 * embeddingSize]],
    ["convolution.bias", [filters]],
    ["hidden.weight", [hiddenSize, filters + embeddingSize]],
    ["hidden.bias", [hiddenSize]],
    ["output.weight", [heads.length, hiddenSize]],
    ["output.bias", [heads.length]],
  ]);
}

export type ParameterName =
  | "wide.weight"
  | "embedding.weight"
  | "convolution.weight"
  | "convolution.bias"
  | "hidden.weight"
  | "hidden.bias"
  | "output.weight"
  | "output.bias";
