/**
 * Writes GGUF, llama.cpp's file format, version 3: a header of metadata and tensor descriptions, then the tensors' bytes
 * at multiples of 32. Format: the `gguf.md` document of the ggml project.
 */
import { closeSync, openSync, writeSync } from "node:fs";

/** Names as ggml has them: numbers of `enum ggml_type`, and how many bytes a block of so many values takes. */
export const tensorTypes = {
  F32: { code: 0, blockSize: 1, blockBytes: 4 },
  F16: { code: 1, blockSize: 1, blockBytes: 2 },
  Q4_0: { code: 2, blockSize: 32, blockBytes: 18 },
  Q8_0: { code: 8, blockSize: 32, blockBytes: 34 },
} as const;
export type TensorType = keyof typeof tensorTypes;

export type MetadataValue =
  | { uint32: number }
  | { float32: number }
  | { string: string }
  | { strings: readonly string[] }
  | { floats: readonly number[] }
  | { ints: readonly number[] };

export interface GgufTensor {
  name: string;
  type: TensorType;
  /** Row-major, as elsewhere; the file lists sizes from the innermost axis outwards. */
  shape: readonly number[];
  /** The tensor's bytes, piece by piece. */
  pieces: () => Iterable<Uint8Array>;
}

const version = 3;
const alignment = 32;
// From gguf.md: gguf_metadata_value_type.
const valueCodes = { uint32: 4, int32: 5, float32: 6, string: 8, array: 9 } as const;

const uint32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);
const int32 = (value: number) => new Uint8Array(Int32Array.of(value).buffer);
const float32 = (value: number) => new Uint8Array(Float32Array.of(value).buffer);
const uint64 = (value: number) => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string) => {
  const bytes = new TextEncoder().encode(value);
  return Buffer.concat([uint64(bytes.length), bytes]);
};
const list = <T>(code: number, items: readonly T[], encode: (item: T) => Uint8Array) =>
  Buffer.concat([uint32(valueCodes.array), uint32(code), uint64(items.length), ...items.map(encode)]);

function encodeValue(value: MetadataValue): Uint8Array {
  if ("uint32" in value) return Buffer.concat([uint32(valueCodes.uint32), uint32(value.uint32)]);
  if ("float32" in value) return Buffer.concat([uint32(valueCodes.float32), float32(value.float32)]);
  if ("string" in value) return Buffer.concat([uint32(valueCodes.string), text(value.string)]);
  if ("strings" in value) return list(valueCodes.string, value.strings, text);
  if ("floats" in value) return list(valueCodes.float32, value.floats, float32);
  return list(valueCodes.int32, value.ints, int32);
}

function tensorBytes({ type, shape }: Pick<GgufTensor, "type" | "shape">): number {
  const { blockSize, blockBytes } = tensorTypes[type];
  return (shape.reduce((product, size) => product * size, 1) / blockSize) * blockBytes;
}

const padding = (length: number) => -length & (alignment - 1);

/** @throws Error when a tensor's pieces are not as long as its shape asks for */
export function writeGguf(
  path: string,
  metadata: Readonly<Record<string, MetadataValue>>,
  tensors: readonly GgufTensor[],
): void {
  const entries = Object.entries(metadata).flatMap(([key, value]) => [text(key), encodeValue(value)]);
  let offset = 0;
  const descriptions = tensors.flatMap(({ name, type, shape }) => {
    const sizes = [...shape].reverse().map(uint64);
    const at = offset;
    const length = tensorBytes({ type, shape });
    offset += length + padding(length);
    return [text(name), uint32(shape.length), ...sizes, uint32(tensorTypes[type].code), uint64(at)];
  });
  const counts = [uint64(tensors.length), uint64(Object.keys(metadata).length)];
  const header = Buffer.concat([Buffer.from("GGUF"), uint32(version), ...counts, ...entries, ...descriptions]);

  const descriptor = openSync(path, "w");
  const write = (bytes: Uint8Array) => {
    for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
    return bytes.length;
  };
  try {
    write(header);
    write(new Uint8Array(padding(header.length)));
    for (const tensor of tensors) {
      let length = 0;
      for (const piece of tensor.pieces()) length += write(piece);
      const wanted = tensorBytes(tensor);
      if (length !== wanted) throw new Error(`${path}: tensor ${tensor.name} takes ${wanted} bytes, not ${length}`);
      write(new Uint8Array(padding(length)));
    }
  } finally {
    closeSync(descriptor);
  }
}
