/** Quantizes a checkpoint tensor by tensor, some rows at a time: neither side is ever in memory as a whole. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { Architecture } from "../architectures/architecture.ts";
import { encodeFloat16 } from "../checkpoint/float16.ts";
import { readRows, type SafetensorsFile, safetensorsHeader } from "../checkpoint/safetensors.ts";
import { CheckpointError } from "../types.ts";
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

/** Rows of a tensor some at a time, checked to be finite. */
function* chunksOf(file: SafetensorsFile, name: string): Generator<{ rows: Float32Array; first: number }> {
  const shape = file.tensors.get(name)?.shape ?? [];
  const outputs = shape.length < 2 ? 1 : (shape[0] as number);
  if (shape.length < 2) return yield { rows: finite(file, name, readRows(file, name, 0, shape[0] ?? 1)), first: 0 };
  const width = shape.slice(1).reduce((product, size) => product * size, 1);
  const step = Math.max(1, Math.floor(weightsPerChunk / width));
  for (let first = 0; first < outputs; first += step) {
    yield { rows: finite(file, name, readRows(file, name, first, Math.min(step, outputs - first))), first };
  }
}

function finite(file: SafetensorsFile, name: string, rows: Float32Array): Float32Array {
  if (!rows.every(Number.isFinite)) throw new CheckpointError(`${file.path}: tensor ${name} holds NaN or infinity`);
  return rows;
}

function writeProduct(
  file: SafetensorsFile,
  { source, module, precision, outliers }: Extract<Part, { kind: "product" }>,
  to: Written,
  count: (weights: number) => void,
): void {
  const { inputSize, outputSize } = module;
  if (precision === "int8") {
    const quantized = int8Rows(outputSize, inputSize);
    const apart = new Float32Array(outliers.length * outputSize);
    for (const { rows, first } of chunksOf(file, source)) {
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
  for (const { rows } of chunksOf(file, source)) {
    const quantized = quantizeInt4Rows(rows, inputSize);
    to.append(quantized.values);
    scales.push(quantized.scales);
    count(rows.length);
  }
  for (const part of scales) to.append(part);
}

function writePart(file: SafetensorsFile, part: Part, to: Written, count: (weights: number) => void): void {
  if (part.kind === "product") {
    writeProduct(file, part, to, count);
    return;
  }
  for (const { rows } of chunksOf(file, part.source)) {
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
  file: SafetensorsFile,
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
      writePart(file, part, { append }, (weights) => {
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
