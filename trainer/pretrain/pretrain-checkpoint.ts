/** Everything a pre-training run needs to go on: weights, moments and counters. */
import { join } from "node:path";
import { loadRunCheckpoint, saveRunCheckpoint } from "../checkpoint/run-checkpoint.ts";
import type { AdamState } from "../optimizer/adamw.ts";
import { checkpointTensors, type NamedArrays } from "../optimizer/lora-optimizer.ts";

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
  weights: NamedArrays,
  moments: ReadonlyMap<string, AdamState>,
  progress: PretrainProgress,
): void {
  saveRunCheckpoint(join(folder, fileName), checkpointTensors(weights, moments), progress);
}

/**
 * Fills weights and moments in place. Returns null where there is no checkpoint yet.
 * @throws CheckpointError when the file is damaged or was begun with another model
 */
export function loadPretrainCheckpoint(
  folder: string,
  weights: NamedArrays,
  moments: ReadonlyMap<string, AdamState>,
): PretrainProgress | null {
  return loadRunCheckpoint(join(folder, fileName), checkpointTensors(weights, moments));
}
