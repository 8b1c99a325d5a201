/** A checkpoint folder: config.json and the weights of model.safetensors, checked against each other. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
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
  const weights = new Map<string, Float32Array>();
  let parameters = 0;
  for (const [name, shape] of architecture.parameters) {
    const stored = file.tensors.get(name);
    if (stored === undefined) throw new CheckpointError(`${path}: tensor ${name} is missing`);
    if (stored.shape.join() !== shape.join()) {
      throw new CheckpointError(
        `${path}: tensor ${name} has shape [${stored.shape.join(", ")}], config.json asks for [${shape.join(", ")}]`,
      );
    }
    const data = readTensor(file, name);
    if (!data.every(Number.isFinite)) throw new CheckpointError(`${path}: tensor ${name} holds NaN or infinity`);
    weights.set(name, data);
    parameters += data.length;
  }
  // Files may keep a copy of tied embeddings, and older ones the rotary frequencies; neither says anything new.
  const known = (name: string) =>
    architecture.parameters.has(name) || name === "lm_head.weight" || name.endsWith(".rotary_emb.inv_freq");
  const extra = [...file.tensors.keys()].find((name) => !known(name));
  if (extra !== undefined) throw new CheckpointError(`${path}: tensor ${extra} belongs to no ${architecture.name}`);
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  return { folder, architecture, weights, parameters, sha256 };
}
