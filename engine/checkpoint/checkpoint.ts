/** A checkpoint folder: config.json and the weights of model.safetensors, checked against each other. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "../architectures/architecture.ts";
import { CheckpointError } from "../types.ts";
import { readArchitecture } from "./config.ts";
import { openSafetensors, readTensor } from "./safetensors.ts";

export interface Checkpoint {
  folder: string;
  architecture: Architecture;
  /** float32, by tensor name. */
  weights: ReadonlyMap<string, Float32Array>;
  /** Number of weights. */
  parameters: number;
  /** sha256 of model.safetensors: what adapters name their base by. */
  sha256: string;
}

/** @throws CheckpointError naming the file and the tensor that is missing, superfluous or of another shape */
export function readCheckpoint(folder: string): Checkpoint {
  const architecture = readArchitecture(folder);
  const path = join(folder, "model.safetensors");
  const file = openSafetensors(path);
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
  return { folder, architecture, weights, parameters, sha256: hashFile(path) };
}

/** sha256 of a file, read in pieces. */
function hashFile(path: string): string {
  const hash = createHash("sha256");
  const piece = Buffer.alloc(2 ** 20);
  const descriptor = openSync(path, "r");
  try {
    for (let size = readSync(descriptor, piece); size > 0; size = readSync(descriptor, piece)) {
      hash.update(piece.subarray(0, size));
    }
  } finally {
    closeSync(descriptor);
  }
  return hash.digest("hex");
}
