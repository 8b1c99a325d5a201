/** Everything a pre-training run needs to go on: one file, replaced in one step. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { encodeSafetensors, openSafetensors, readTensor } from "../../engine/checkpoint/safetensors.ts";
import { writeFileAtomically } from "../checkpoint/write-file-atomically.ts";
import type { AdamState } from "../optimizer/adamw.ts";

export interface PretrainProgress {
  /** Optimizer steps done. */
  step: number;
  /** Chunks of the token file consumed. */
  chunks: number;
  seconds: number;
}

const fileName = "checkpoint.safetensors";

export function savePretrainCheckpoint(
  folder: string,
  weights: ReadonlyMap<string, Float32Array>,
  moments: ReadonlyMap<string, AdamState>,
  progress: PretrainProgress,
): void {
  const tensors = new Map<string, { data: Float32Array; shape: number[] }>();
  const put = (name: string, data: Float32Array) => tensors.set(name, { data, shape: [data.length] });
  for (const [name, data] of weights) put(`weight:${name}`, data);
  for (const [name, { m, v }] of moments) {
    put(`m:${name}`, m);
    put(`v:${name}`, v);
  }
  const bytes = encodeSafetensors(tensors, "F32", { progress: JSON.stringify(progress) });
  writeFileAtomically(join(folder, fileName), bytes);
}

/** Fills weights and moments in place. Returns null where there is no checkpoint yet. */
export function loadPretrainCheckpoint(
  folder: string,
  weights: ReadonlyMap<string, Float32Array>,
  moments: ReadonlyMap<string, AdamState>,
): PretrainProgress | null {
  const path = join(folder, fileName);
  if (!existsSync(path)) return null;
  const file = openSafetensors(path);
  for (const [name, data] of weights) data.set(readTensor(file, `weight:${name}`));
  for (const [name, { m, v }] of moments) {
    m.set(readTensor(file, `m:${name}`));
    v.set(readTensor(file, `v:${name}`));
  }
  return JSON.parse(file.metadata.progress ?? "null") as PretrainProgress;
}
