/** Writes a classifier folder that `loadEmbeddedClassifier` reads. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeSafetensors } from "../../engine/checkpoint/safetensors.ts";
import {
  type ClassifierConfig,
  type ClassifierShape,
  currentFeatureVersion,
  type ParameterName,
  parameterShapes,
} from "./config.ts";

export interface TrainedClassifier {
  name: string;
  shape: ClassifierShape;
  /** Already rounded to bfloat16, in which they are stored. */
  parameters: Readonly<Record<ParameterName, Float32Array>>;
  calibration: ClassifierConfig["calibration"];
}

/** @returns the size of the weights in bytes */
export function writeClassifierFolder(
  folder: string,
  { name, shape, parameters, calibration }: TrainedClassifier,
): number {
  const tensors = new Map(
    [...parameterShapes(shape)].map(([parameter, sizes]) => [parameter, { data: parameters[parameter], shape: sizes }]),
  );
  const weights = encodeSafetensors(tensors, "BF16");
  const config: ClassifierConfig = {
    format: "rejoinder-toxicity-classifier",
    name,
    featureVersion: currentFeatureVersion,
    ...shape,
    calibration,
    weights: { file: "model.safetensors", sha256: createHash("sha256").update(weights).digest("hex") },
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, config.weights.file), weights);
  writeFileSync(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  return weights.length;
}
