/** The quantized file of a random Llama, as the engine would make it, but each repeated block quantized once only. */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { readArchitecture } from "../engine/checkpoint/config.ts";
import { hashFile } from "../engine/checkpoint/file-hash.ts";
import { encodeFloat16 } from "../engine/checkpoint/float16.ts";
import { safetensorsHeader } from "../engine/checkpoint/safetensors.ts";
import { quantizeInt4Rows } from "../engine/quantization/int4-blocks.ts";
import { int8Rows, quantizeInt8Rows } from "../engine/quantization/int8-rows.ts";
import { entriesOf, type Part, type Precision, planParts } from "../engine/quantization/layout.ts";
import { quantizedFileName } from "../engine/quantization/open-quantized.ts";
import { period, repeatedRows } from "./random-llama.ts";

/** A part's stored tensors, each as bytes that are repeated to fill it. */
function blocksOf(part: Part, shape: readonly number[]): ArrayBufferView[] {
  const rows = repeatedRows(shape);
  if (part.kind !== "product") return [part.kind === "table" ? encodeFloat16(rows) : rows];
  const { inputSize, outputSize } = part.module;
  if (part.precision === "int4") {
    const { values, scales } = quantizeInt4Rows(rows, inputSize);
    return [values, scales];
  }
  // Values are [input, output]: within each input's line the outputs repeat.
  const quantized = int8Rows(period, inputSize);
  quantizeInt8Rows(quantized, rows, 0);
  const values = new Uint8Array(inputSize * outputSize);
  for (let at = 0; at < values.length; at += period) {
    const line = Math.floor(at / outputSize) * period;
    values.set(quantized.values.subarray(line, line + period), at);
  }
  return [values, quantized.scales];
}

/** Puts the file where `openQuantized` looks for it. @param sha256 of the checkpoint's weights */
export function writeRandomQuantized(
  folder: string,
  precision: Precision = "int4",
  sha256 = hashFile(join(folder, "model.safetensors")),
): void {
  const architecture = readArchitecture(folder);
  const parts = planParts(architecture, precision);
  const cache = join(folder, "quantized");
  mkdirSync(cache, { recursive: true });
  const descriptor = openSync(join(cache, quantizedFileName(sha256, precision)), "w");
  const header = (checksum: number) =>
    safetensorsHeader(new Map(parts.flatMap((part) => entriesOf(part, architecture))), {
      crc32: checksum.toString(16).padStart(8, "0"),
    });
  const known = new Map<string, ArrayBufferView[]>();
  try {
    let checksum = 0;
    writeSync(descriptor, header(0));
    for (const part of parts) {
      const shape = architecture.parameters.get(part.source) ?? [];
      // An int8 product's values are laid out whole, so that its other size counts as well.
      const isInt8 = part.kind === "product" && part.precision === "int8";
      const key = `${part.kind} ${isInt8 ? `int8 ${shape[0]}` : ""} ${shape.at(-1)}`;
      const blocks = known.get(key) ?? blocksOf(part, shape);
      known.set(key, blocks);
      for (const [index, [, entry]] of entriesOf(part, architecture).entries()) {
        const { buffer, byteOffset, byteLength } = blocks[index] as ArrayBufferView;
        const bytes = new Uint8Array(buffer, byteOffset, byteLength);
        const width = entry.type === "U8" ? 1 : entry.type === "F16" ? 2 : 4;
        const size = entry.shape.reduce((product, dim) => product * dim, width);
        for (let done = 0; done < size; done += bytes.length) {
          checksum = crc32(bytes, checksum);
          writeSync(descriptor, bytes);
        }
      }
    }
    writeSync(descriptor, header(checksum), 0, undefined, 0);
  } finally {
    closeSync(descriptor);
  }
}
