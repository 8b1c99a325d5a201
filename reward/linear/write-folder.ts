/** Rounds weights to 8 bits and writes a folder that `loadLinearClassifier` reads. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { safetensorsHeader } from "../../engine/checkpoint/safetensors.ts";
import { currentLinearFeatures, type LinearConfig, linearFormat } from "./config.ts";

export interface RoundedWeights {
  /** [buckets] */
  weights: Int8Array;
  /** Weight = step * stored integer. */
  step: number;
}

/** The nearest multiples of 1/127 of the largest weight. */
export function roundToInt8(weights: Float32Array): RoundedWeights {
  const largest = weights.reduce((max, weight) => Math.max(max, Math.abs(weight)), 0);
  const step = largest === 0 ? 1 : largest / 127;
  return { weights: Int8Array.from(weights, (weight) => Math.round(weight / step)), step };
}

/** @returns the size of the weights' file in bytes */
export function writeLinearFolder(
  folder: string,
  { name, rounded, calibration }: { name: string; rounded: RoundedWeights; calibration: LinearConfig["calibration"] },
): number {
  const { weights, step } = rounded;
  const header = safetensorsHeader(new Map([["weight", { type: "I8" as const, shape: [weights.length] }]]), {
    format: "pt",
  });
  const file = new Uint8Array(header.length + weights.length);
  file.set(header);
  file.set(new Uint8Array(weights.buffer), header.length);
  const config: LinearConfig = {
    format: linearFormat,
    name,
    featureVersion: currentLinearFeatures,
    buckets: weights.length,
    weightStep: step,
    calibration,
    weights: { file: "model.safetensors", sha256: createHash("sha256").update(file).digest("hex") },
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, config.weights.file), file);
  writeFileSync(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  return file.length;
}
