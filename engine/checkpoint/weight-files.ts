/**
 * Where a checkpoint folder keeps its tensors: in model.safetensors, or in the shards that
 * model.safetensors.index.json names. Headers alone are read here, so opening the largest model costs nothing.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { CheckpointError } from "../types.ts";
import { hashFile, remembered } from "./file-hash.ts";
import { openSafetensors, type SafetensorsFile } from "./safetensors.ts";

export interface WeightFiles {
  /** The file that speaks for all: model.safetensors, or the index of the shards. */
  path: string;
  /** In the order of their names. */
  files: readonly SafetensorsFile[];
  /** The file of each tensor. */
  tensors: ReadonlyMap<string, SafetensorsFile>;
}

/** @throws CheckpointError naming the file, and the shard and tensor where one is to blame */
export function openWeightFiles(folder: string): WeightFiles {
  const single = join(folder, "model.safetensors");
  const index = `${single}.index.json`;
  if (existsSync(single) || !existsSync(index)) {
    if (!existsSync(single)) refusePickled(folder, single);
    const file = openSafetensors(single);
    return { path: single, files: [file], tensors: new Map([...file.tensors.keys()].map((name) => [name, file])) };
  }
  return openShards(folder, index);
}

/** Weights in PyTorch's own format are programs, which are not run. */
function refusePickled(folder: string, expected: string): void {
  const pickled = existsSync(folder) && readdirSync(folder).find((name) => /^pytorch_model.*\.bin/.test(name));
  if (pickled) {
    throw new CheckpointError(`${expected}: is missing; ${pickled} is there, but weights are read as safetensors only`);
  }
}

function readWeightMap(path: string): Map<string, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new CheckpointError(`${path}: cannot be read as JSON`, { cause });
  }
  const { weight_map: map } = (parsed ?? {}) as { weight_map?: unknown };
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw new CheckpointError(`${path}: has no weight_map of tensor names to shards`);
  }
  const entries = Object.entries(map).map(([name, shard]): [string, string] => {
    // A name alone: an index must not lead out of its folder.
    if (typeof shard !== "string" || !/^[\w-][\w.-]*\.safetensors$/.test(shard)) {
      throw new CheckpointError(
        `${path}: weight_map has tensor ${name} in ${JSON.stringify(shard)}, which is no shard`,
      );
    }
    return [name, shard];
  });
  if (entries.length === 0) throw new CheckpointError(`${path}: weight_map is empty`);
  return new Map(entries);
}

function openShards(folder: string, index: string): WeightFiles {
  const map = readWeightMap(index);
  const names = [...new Set(map.values())].sort();
  const missing = names.find((name) => !existsSync(join(folder, name)));
  if (missing !== undefined) throw new CheckpointError(`${join(folder, missing)}: is missing, ${index} names it`);
  const shards = new Map(names.map((name) => [name, openSafetensors(join(folder, name))]));
  const tensors = new Map<string, SafetensorsFile>();
  for (const file of shards.values()) {
    for (const name of file.tensors.keys()) {
      const other = tensors.get(name);
      if (other !== undefined) throw new CheckpointError(`${file.path}: tensor ${name} is also in ${other.path}`);
      tensors.set(name, file);
    }
  }
  for (const [name, shard] of map) {
    if (shards.get(shard)?.tensors.has(name) !== true) {
      throw new CheckpointError(`${join(folder, shard)}: tensor ${name} is missing, ${index} has it there`);
    }
  }
  for (const [name, { path }] of tensors) {
    if (!map.has(name)) throw new CheckpointError(`${path}: tensor ${name} is not in the weight_map of ${index}`);
  }
  return { path: index, files: [...shards.values()], tensors };
}

/**
 * What adapters name their base by. One file: its sha256. Shards: the sha256 of a line for each, in the order of their
 * names, as `sha256sum model-*.safetensors | sha256sum` gives it in the folder.
 *
 * @param note a file that tells the hash of files whose sizes and times of change are the same, and is kept up to date
 */
export function hashWeights(weights: WeightFiles, note?: string): string {
  const paths = weights.files.map(({ path }) => path);
  return note === undefined ? computeHash(weights) : remembered(paths, note, () => computeHash(weights));
}

function computeHash({ files, path }: WeightFiles): string {
  const [first] = files;
  if (files.length === 1 && first?.path === path) return hashFile(path);
  const lines = files.map((file) => `${hashFile(file.path)}  ${basename(file.path)}\n`);
  return createHash("sha256").update(lines.join("")).digest("hex");
}
