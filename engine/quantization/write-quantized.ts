/** Quantizes a checkpoint tensor by tensor, some rows at a time: neither side is ever in memory as a whole. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { Architecture, LinearModule } from "../architectures/architecture.ts";
import type { CheckpointTensor } from "../checkpoint/checkpoint.ts";
import { encodeFloat16 } from "../checkpoint/float16.ts";
import { safetensorsHeader } from "../checkpoint/safetensors.ts";
import { quantizeInt4Rows } from "./int4-blocks.ts";
import { int8Rows, quantizeInt8Rows } from "./int8-rows.ts";
import { entriesOf, type Part } from "./layout.ts";

/** Weights read at a time. */
const weightsPerChunk = 2 ** 22;

/** How many weights are done, of how many. */
export type QuantizationProgress = (done: number, total: number) => void;

interface Written {
  append(data: ArrayBufferView): void;
}

type Tensors = ReadonlyMap<string, CheckpointTensor>;

function tensorOf(tensors: Tensors, name: string): CheckpointTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`the checkpoint has no tensor ${name}`);
  return tensor;
}

/** Rows of a tensor some at a time; a vector is one row. */
function* chunksOf(tensor: CheckpointTensor): Generator<{ rows: Float32Array; first: number }> {
  const { shape } = tensor;
  if (shape.length < 2) return yield { rows: tensor.read(), first: 0 };
  const outputs = shape[0] as number;
  const width = shape.slice(1).reduce((product, size) => product * size, 1);
  const step = Math.max(1, Math.floor(weightsPerChunk / width));
  for (let first = 0; first < outputs; first += step) {
    yield { rows: tensor.readRows(first, Math.min(step, outputs - first)), first };
  }
}

/** A linear layer's output rows. Weights stored [input, output] are turned round, one layer's at a time. */
function* outputRows(tensors: Tensors, { name, inputSize, outputSize, transposed }: LinearModule) {
  const tensor = tensorOf(tensors, `${name}.weight`);
  if (!transposed) return yield* chunksOf(tensor);
  const stored = tensor.read();
  const rows = new Float32Array(stored.length);
  for (let input = 0; input < inputSize; input++) {
    for (let output = 0; output < outputSize; output++) {
      rows[output * inputSize + input] = stored[input * outputSize + output] as number;
    }
  }
  yield { rows, first: 0 };
}

function writeProduct(
  tensors: Tensors,
  { module, precision, outliers }: Extract<Part, { kind: "product" }>,
  to: Written,
  count: (weights: number) => void,
): void {
  const { inputSize, outputSize } = module;
  if (precision === "int8") {
    const quantized = int8Rows(outputSize, inputSize);
    const apart = new Float32Array(outliers.length * outputSize);
    for (const { rows, first } of outputRows(tensors, module)) {
      quantizeInt8Rows(quantized, rows, first);
      for (const [index, column] of outliers.entries()) {
        for (let row = 0; row * inputSize < rows.length; row++) {
          apart[index * outputSize + first + row] = rows[row * inputSize + column] as number;
        }
      }
      count(rows.length);
    }
    to.append(quantized.values);
    to.append(quantized.scales);
    if (apart.length > 0) to.append(apart);
    return;
  }
  const scales: Float32Array[] = [];
  for (const { rows } of outputRows(tensors, module)) {
    const quantized = quantizeInt4Rows(rows, inputSize);
    to.append(quantized.values);
    scales.push(quantized.scales);
    count(rows.length);
  }
  for (const part of scales) to.append(part);
}

function writePart(tensors: Tensors, part: Part, to: Written, count: (weights: number) => void): void {
  if (part.kind === "product") {
    writeProduct(tensors, part, to, count);
    return;
  }
  for (const { rows } of chunksOf(tensorOf(tensors, part.source))) {
    to.append(part.kind === "table" ? encodeFloat16(rows) : rows);
    count(rows.length);
  }
}

/**
 * Writes the quantized file whole or not at all.
 *
 * @param metadata kept in the file's header, beside the checksum of its data
 * @throws CheckpointError naming a tensor that holds NaN or infinity
 */
export function writeQuantized(
  path: string,
  tensors: Tensors,
  architecture: Architecture,
  parts: readonly Part[],
  metadata: Readonly<Record<string, string>>,
  onProgress: QuantizationProgress = () => undefined,
): void {
  const entries = parts.flatMap((part) => entriesOf(part, architecture));
  const total = parts.reduce((sum, { source }) => {
    return sum + (architecture.parameters.get(source) ?? []).reduce((product, size) => product * size, 1);
  }, 0);
  // The checksum is known last, and is as long as what stands in for it.
  const header = (checksum: number) =>
    safetensorsHeader(new Map(entries), { ...metadata, crc32: checksum.toString(16).padStart(8, "0") });
  const partial = `${path}.${process.pid}.partial`;
  const descriptor = openSync(partial, "w");
  try {
    let checksum = 0;
    let done = 0;
    const append = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => {
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      checksum = crc32(bytes, checksum);
      for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
    };
    writeSync(descriptor, header(0));
    for (const part of parts) {
      writePart(tensors, part, { append }, (weights) => {
        done += weights;
        onProgress(done, total);
      });
    }
    writeSync(descriptor, header(checksum), 0, undefined, 0);
    fsyncSync(descriptor);
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}
