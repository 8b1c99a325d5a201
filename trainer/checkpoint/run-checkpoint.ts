/** Everything a training run needs to go on, in one file that is replaced in one step. */
import { existsSync } from "node:fs";
import { encodeSafetensors, openSafetensors, readTensor } from "../../engine/checkpoint/safetensors.ts";
import { CheckpointError } from "../../engine/types.ts";
import { writeFileAtomically } from "./write-file-atomically.ts";

/**
 * @param tensors what the run changes, by name; the bits are kept
 * @param progress counters and whatever else is no tensor; must survive JSON
 */
export function saveRunCheckpoint(path: string, tensors: ReadonlyMap<string, Float32Array>, progress: object): void {
  const shaped = [...tensors].map(([name, data]) => [name, { data, shape: [data.length] }] as const);
  const bytes = encodeSafetensors(new Map(shaped), "F32", { progress: JSON.stringify(progress) });
  writeFileAtomically(path, bytes);
}

/**
 * Fills the given tensors in place and returns the progress stored with them; null where there is no checkpoint yet.
 * The progress has the shape it was saved with: the file is the run's own.
 * @throws CheckpointError when the file is damaged or its tensors are of other sizes (another run's settings)
 */
export function loadRunCheckpoint<Progress extends object>(
  path: string,
  tensors: ReadonlyMap<string, Float32Array>,
): Progress | null {
  if (!existsSync(path)) return null;
  const file = openSafetensors(path);
  for (const [name, data] of tensors) {
    const stored = readTensor(file, name);
    if (stored.length !== data.length) {
      throw new CheckpointError(
        `${path}: tensor ${name} holds ${stored.length} values, this run needs ${data.length}; was it begun with other settings?`,
      );
    }
    data.set(stored);
  }
  if (file.metadata.progress === undefined) throw new CheckpointError(`${path}: says nothing about the run's progress`);
  return JSON.parse(file.metadata.progress) as Progress;
}
