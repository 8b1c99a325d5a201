/** A checkpoint folder: config.json and the weights of model.safetensors, checked against each other. */
import { join } from "node:path";
import { type Architecture, rememberWeights } from "../architectures/architecture.ts";
import * as ops from "../graph/ops.ts";
import { CheckpointError } from "../types.ts";
import type { BaseModel } from "./base-model.ts";
import { readArchitecture } from "./config.ts";
import { hashFile } from "./file-hash.ts";
import { openSafetensors, readTensor, type SafetensorsFile } from "./safetensors.ts";
import { weightSource } from "./weight-source.ts";

export interface Checkpoint extends BaseModel {
  /** float32, by tensor name. */
  weights: ReadonlyMap<string, Float32Array>;
}

/**
 * Whether the file's tensors are the architecture's.
 * @returns the number of weights
 * @throws CheckpointError naming the tensor that is missing, superfluous or of another shape
 */
export function checkTensors(file: SafetensorsFile, architecture: Architecture): number {
  const { path } = file;
  let parameters = 0;
  for (const [name, shape] of architecture.parameters) {
    const stored = file.tensors.get(name);
    if (stored === undefined) throw new CheckpointError(`${path}: tensor ${name} is missing`);
    if (stored.shape.join() !== shape.join()) {
      throw new CheckpointError(
        `${path}: tensor ${name} has shape [${stored.shape.join(", ")}], config.json asks for [${shape.join(", ")}]`,
      );
    }
    parameters += shape.reduce((product, size) => product * size, 1);
  }
  // Files may keep a copy of tied embeddings, and older ones the rotary frequencies; neither says anything new.
  const known = (name: string) =>
    architecture.parameters.has(name) ||
    name === "lm_head.weight" ||
    name.endsWith(".rotary_emb.inv_freq") ||
    architecture.ignored?.test(name);
  const extra = [...file.tensors.keys()].find((name) => !known(name));
  if (extra !== undefined) throw new CheckpointError(`${path}: tensor ${extra} belongs to no ${architecture.name}`);
  return parameters;
}

/** @throws CheckpointError naming the file and the tensor that is missing, superfluous or of another shape */
export function readCheckpoint(folder: string): Checkpoint {
  const architecture = readArchitecture(folder);
  const path = join(folder, "model.safetensors");
  const file = openSafetensors(path);
  const parameters = checkTensors(file, architecture);
  // One array for all: a large one goes back to the system when it is let go, which many middling ones do not.
  const all = new Float32Array(parameters);
  const weights = new Map<string, Float32Array>();
  let filled = 0;
  for (const name of architecture.parameters.keys()) {
    const data = readTensor(file, name);
    if (!data.every(Number.isFinite)) throw new CheckpointError(`${path}: tensor ${name} holds NaN or infinity`);
    weights.set(name, all.subarray(filled, filled + data.length));
    all.set(data, filled);
    filled += data.length;
  }
  return {
    folder,
    architecture,
    weights,
    parameters,
    sha256: hashFile(path),
    quantization: "none",
    frozen: () => ({ weight: rememberWeights((name, shape) => ops.weight(name, shape)) }),
    source: weightSource(weights),
  };
}
