/** A checkpoint folder: config.json and the tensors of its weight files, checked against each other. */
import { type ParameterLayout, rememberWeights } from "../architectures/architecture.ts";
import * as ops from "../graph/ops.ts";
import { CheckpointError } from "../types.ts";
import type { BaseModel } from "./base-model.ts";
import { readArchitecture } from "./config.ts";
import { floatTypes, readRange, readTensor, readTensorInto, type StoredType } from "./safetensors.ts";
import { hashWeights, openWeightFiles, type WeightFiles } from "./weight-files.ts";
import { weightSource } from "./weight-source.ts";

/** One parameter where it lies: read when asked for, so that a model can be worked through tensor by tensor. */
export interface CheckpointTensor {
  /** As the architecture calls it; `storedName` is the file's own name for it. */
  name: string;
  storedName: string;
  type: StoredType;
  shape: readonly number[];
  /** Path of the file, and the tensor's bytes in it. */
  file: string;
  offset: number;
  length: number;
  /** Fresh float32 values. @throws CheckpointError if the file was cut off or a value is not finite */
  read(): Float32Array;
  /** The same into an array of the tensor's size. */
  readInto(target: Float32Array): void;
  /** `count` rows of the first axis from `first` on, as `read`. */
  readRows(first: number, count: number): Float32Array;
  /** The bytes as the file has them. */
  readBytes(): Uint8Array;
}

export interface CheckpointTensors {
  /** In the architecture's order. */
  tensors: ReadonlyMap<string, CheckpointTensor>;
  /** Number of weights. */
  parameters: number;
  /**
   * Reads every weight file once, or none where `note` tells that they are as they were.
   * See `hashWeights` for what is hashed where there are several.
   */
  sha256(note?: string): string;
}

export interface Checkpoint extends BaseModel {
  /** float32, by tensor name. */
  weights: ReadonlyMap<string, Float32Array>;
}

/** Buffers that older versions of transformers stored with every architecture; they hold no weights. */
const storedBuffers = /(?:^|\.)(?:rotary_emb\.inv_freq|masked_bias|position_ids)$/;

/**
 * Finds an architecture's parameters in the folder; of the weight files only the headers are read.
 * @throws CheckpointError naming the file and the tensor that is missing, superfluous or of another shape or type
 */
export function openCheckpointTensors(folder: string, layout: ParameterLayout): CheckpointTensors {
  const files = openWeightFiles(folder);
  const tensors = new Map<string, CheckpointTensor>();
  const used = new Set<string>();
  let parameters = 0;
  for (const [name, shape] of layout.parameters) {
    const tensor = findTensor(files, layout, name, shape);
    used.add(tensor.storedName);
    tensors.set(name, tensor);
    parameters += shape.reduce((product, size) => product * size, 1);
  }
  for (const [name, { path }] of files.tensors) {
    // Files may keep a copy of tied embeddings, which says nothing new.
    const known = used.has(name) || name === "lm_head.weight" || storedBuffers.test(name) || layout.ignored?.test(name);
    if (!known) throw new CheckpointError(`${path}: tensor ${name} belongs to no ${layout.name}`);
  }
  return { tensors, parameters, sha256: (note) => hashWeights(files, note) };
}

function findTensor(
  files: WeightFiles,
  layout: ParameterLayout,
  name: string,
  shape: readonly number[],
): CheckpointTensor {
  const storedName = [name, ...(layout.aliases?.(name) ?? [])].find((candidate) => files.tensors.has(candidate));
  const file = files.tensors.get(storedName ?? name);
  const stored = file?.tensors.get(storedName ?? name);
  if (storedName === undefined || file === undefined || stored === undefined) {
    throw new CheckpointError(`${files.path}: tensor ${name} is missing`);
  }
  const { path } = file;
  if (stored.shape.join() !== shape.join()) {
    const found = `[${stored.shape.join(", ")}]`;
    throw new CheckpointError(
      `${path}: tensor ${storedName} has shape ${found}, config.json asks for [${shape.join(", ")}]`,
    );
  }
  if (!floatTypes.includes(stored.type)) {
    throw new CheckpointError(
      `${path}: tensor ${storedName} is of type ${stored.type}; weights of type F32, F16 and BF16 can be read`,
    );
  }
  const checked = (values: Float32Array) => {
    if (!allFinite(values)) throw new CheckpointError(`${path}: tensor ${storedName} holds NaN or infinity`);
    return values;
  };
  return {
    ...stored,
    name,
    storedName,
    file: path,
    read: () => checked(readTensor(file, storedName)),
    readInto(target) {
      readTensorInto(file, storedName, target);
      checked(target);
    },
    readRows(first, count) {
      const width = shape.slice(1).reduce((product, size) => product * size, 1);
      const rows = new Float32Array(count * width);
      readTensorInto(file, storedName, rows, first * width);
      return checked(rows);
    },
    readBytes: () => readRange(path, stored.offset, stored.length),
  };
}

/** x - x is 0 for every number that is finite, and NaN for the others. */
function allFinite(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if ((values[i] as number) - (values[i] as number) !== 0) return false;
  return true;
}

/** All weights at once. @throws CheckpointError naming the file and the tensor, see `openCheckpointTensors` */
export function readWeights({ tensors, parameters }: CheckpointTensors): Map<string, Float32Array> {
  // One array for all: a large one goes back to the system when it is let go, which many middling ones do not.
  const all = new Float32Array(parameters);
  const weights = new Map<string, Float32Array>();
  let filled = 0;
  for (const [name, { shape, readInto }] of tensors) {
    const size = shape.reduce((product, dim) => product * dim, 1);
    const values = all.subarray(filled, filled + size);
    readInto(values);
    weights.set(name, values);
    filled += size;
  }
  return weights;
}

/** @throws CheckpointError naming the file and the tensor that is missing, superfluous or of another shape */
export function readCheckpoint(folder: string): Checkpoint {
  const architecture = readArchitecture(folder);
  const opened = openCheckpointTensors(folder, architecture);
  const weights = readWeights(opened);
  return {
    folder,
    architecture,
    weights,
    parameters: opened.parameters,
    sha256: opened.sha256(),
    quantization: "none",
    frozen: () => ({ weight: rememberWeights((name, shape) => ops.weight(name, shape)) }),
    source: weightSource(weights),
  };
}
