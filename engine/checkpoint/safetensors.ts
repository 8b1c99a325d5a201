/**
 * The safetensors file format: eight bytes of header length, a JSON header, then the tensors' bytes.
 * Everything a damaged or hostile file could say is checked before any data is used.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { CheckpointError } from "../types.ts";
import { decodeBfloat16, decodeFloat16, encodeBfloat16 } from "./float16.ts";

/** Types of the format; files hold masks and position numbers beside weights. Narrower than a byte is not read. */
export const bytesPerElement = {
  ...{ F64: 8, I64: 8, U64: 8, F32: 4, I32: 4, U32: 4, F16: 2, BF16: 2, I16: 2, U16: 2 },
  ...{ I8: 1, U8: 1, BOOL: 1, F8_E4M3: 1, F8_E5M2: 1 },
} as const;
export type StoredType = keyof typeof bytesPerElement;
/** The types that can be read as float32. */
export const floatTypes: readonly StoredType[] = ["F32", "F16", "BF16"];

export interface StoredTensor {
  type: StoredType;
  shape: readonly number[];
  /** Bytes from the beginning of the file. */
  offset: number;
  length: number;
}

export interface SafetensorsFile {
  path: string;
  tensors: ReadonlyMap<string, StoredTensor>;
  metadata: Readonly<Record<string, string>>;
  /** Byte at which the header ends and the tensors begin. */
  dataStart: number;
}

/** The format's own limit on headers, as the reference implementation has it. */
const longestHeader = 100_000_000;

function isStoredType(value: unknown): value is StoredType {
  return typeof value === "string" && Object.hasOwn(bytesPerElement, value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function isTexts(value: unknown): value is Record<string, string> {
  return typeof value === "object" && value !== null && Object.values(value).every((text) => typeof text === "string");
}

/** The system takes at most 2 GiB a call. */
const longestRead = 2 ** 30;
/** Half-precision data is widened in pieces of so many bytes, so that a tensor is never in memory twice. */
const pieceBytes = 2 ** 20;

type Fill = (bytes: Uint8Array, offset: number) => void;

/** Hands the open file to `use`. @throws CheckpointError where the system cannot open or read it */
function withFile<T>(path: string, use: (fill: Fill, size: number) => T): T {
  let descriptor: number | undefined;
  try {
    const open = openSync(path, "r");
    descriptor = open;
    const read: Fill = (bytes, offset) => {
      for (let done = 0; done < bytes.length; ) {
        const count = readSync(open, bytes, done, Math.min(bytes.length - done, longestRead), offset + done);
        if (count === 0) throw new CheckpointError(`${path}: ends at byte ${offset + done}, in the middle of its data`);
        done += count;
      }
    };
    return use(read, fstatSync(open).size);
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    throw new CheckpointError(`${path}: cannot be read`, { cause });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Reads the header only. @throws CheckpointError naming file and tensor */
export function openSafetensors(path: string): SafetensorsFile {
  const fail = (what: string): never => {
    throw new CheckpointError(`${path}: ${what}`);
  };
  return withFile(path, (fill, fileSize) => {
    if (fileSize < 8) fail(`holds ${fileSize} bytes, too few for a safetensors header`);
    const start = Buffer.alloc(8);
    fill(start, 0);
    const headerSize = Number(start.readBigUInt64LE());
    if (headerSize > longestHeader || 8 + headerSize > fileSize) {
      fail(`claims a header of ${headerSize} bytes, but holds ${fileSize} bytes in all`);
    }
    const header = Buffer.alloc(headerSize);
    fill(header, 8);
    let parsed: unknown;
    try {
      parsed = JSON.parse(header.toString("utf8"));
    } catch (cause) {
      throw new CheckpointError(`${path}: the header is not JSON`, { cause });
    }
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) fail("the header is not a JSON object");
    const { __metadata__: metadata = {}, ...entries } = parsed as Record<string, unknown>;
    if (!isTexts(metadata)) throw new CheckpointError(`${path}: __metadata__ holds something else than texts`);
    const tensors = new Map<string, StoredTensor>();
    for (const [name, entry] of Object.entries(entries)) {
      const { dtype, shape, data_offsets: range } = (entry ?? {}) as Record<string, unknown>;
      if (!isStoredType(dtype)) {
        throw new CheckpointError(`${path}: tensor ${name} is of unknown type ${JSON.stringify(dtype)}`);
      }
      if (!isSizes(shape) || !isSizes(range) || range.length !== 2) {
        throw new CheckpointError(`${path}: tensor ${name} has no valid shape and data_offsets`);
      }
      const [begin = 0, end = 0] = range;
      const wanted = shape.reduce((product, size) => product * size, bytesPerElement[dtype]);
      if (end - begin !== wanted) {
        fail(`tensor ${name} of shape [${shape.join(", ")}] needs ${wanted} bytes, the header gives it ${end - begin}`);
      }
      if (8 + headerSize + end > fileSize) {
        fail(`tensor ${name} ends at byte ${8 + headerSize + end}, but the file at ${fileSize}`);
      }
      tensors.set(name, { type: dtype, shape, offset: 8 + headerSize + begin, length: wanted });
    }
    // As in the reference implementation, the tensors cover the data without overlap, gap or rest.
    let reached = 8 + headerSize;
    for (const [name, tensor] of [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.length - b.length)) {
      if (tensor.offset < reached) fail(`tensor ${name} overlaps the one before it`);
      if (tensor.offset > reached)
        fail(`bytes ${reached} to ${tensor.offset}, before tensor ${name}, belong to no tensor`);
      reached = tensor.offset + tensor.length;
    }
    if (reached !== fileSize) fail(`the last ${fileSize - reached} bytes belong to no tensor`);
    return { path, tensors, metadata, dataStart: 8 + headerSize };
  });
}

/** One tensor as float32. @throws CheckpointError if it is missing, of another type or cut off */
export function readTensor(file: SafetensorsFile, name: string): Float32Array {
  const stored = file.tensors.get(name);
  if (stored === undefined) throw new CheckpointError(`${file.path}: there is no tensor ${name}`);
  const values = new Float32Array(stored.length / bytesPerElement[stored.type]);
  readTensorInto(file, name, values);
  return values;
}

/**
 * Fills `target` with a tensor's elements from the `first` on, without a copy in between.
 * @throws RangeError if there are fewer
 * @throws CheckpointError if the tensor is missing, of another type or cut off
 */
export function readTensorInto(file: SafetensorsFile, name: string, target: Float32Array, first = 0): void {
  const stored = file.tensors.get(name);
  if (stored === undefined) throw new CheckpointError(`${file.path}: there is no tensor ${name}`);
  const { type, length } = stored;
  if (!floatTypes.includes(type)) {
    throw new CheckpointError(`${file.path}: tensor ${name} is of type ${type}; F32, F16 and BF16 can be read`);
  }
  const total = length / bytesPerElement[type];
  const count = target.length;
  if (first + count > total) {
    throw new RangeError(`tensor ${name} holds ${total} values, not ${first} + ${count}`);
  }
  const offset = stored.offset + first * bytesPerElement[type];
  withFile(file.path, (fill) => {
    if (type === "F32") return fill(new Uint8Array(target.buffer, target.byteOffset, target.byteLength), offset);
    const decode = type === "BF16" ? decodeBfloat16 : decodeFloat16;
    const piece = new Uint16Array(Math.min(count, pieceBytes / 2));
    for (let done = 0; done < count; done += piece.length) {
      const bits = piece.subarray(0, Math.min(piece.length, count - done));
      fill(new Uint8Array(bits.buffer, 0, bits.byteLength), offset + 2 * done);
      decode(bits, target.subarray(done, done + bits.length));
    }
  });
}

/** The bytes before the data of tensors that follow one another in this order. */
export function safetensorsHeader(
  tensors: ReadonlyMap<string, { type: StoredType; shape: readonly number[] }>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { type, shape }] of tensors) {
    const size = shape.reduce((product, dim) => product * dim, bytesPerElement[type]);
    header[name] = { dtype: type, shape, data_offsets: [offset, offset + size] };
    offset += size;
  }
  const json = JSON.stringify(header);
  // Data starts at a multiple of eight, so that it can be mapped.
  const padded = new TextEncoder().encode(json + " ".repeat(-Buffer.byteLength(json) & 7));
  const bytes = new Uint8Array(8 + padded.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded.length), true);
  bytes.set(padded, 8);
  return bytes;
}

/** A stretch of one tensor's bytes as the file has them. @throws CheckpointError if the file was cut off */
export function readRange(path: string, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  withFile(path, (fill) => fill(bytes, offset));
  return bytes;
}

/** A whole file's bytes. `type` says how the float32 values are stored. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, { data: Float32Array; shape: readonly number[] }>,
  type: "F32" | "BF16",
  metadata: Record<string, string> = { format: "pt" },
): Uint8Array {
  const header = safetensorsHeader(new Map([...tensors].map(([name, { shape }]) => [name, { type, shape }])), metadata);
  const size = [...tensors.values()].reduce((sum, { data }) => sum + data.length * bytesPerElement[type], 0);
  const file = new Uint8Array(header.length + size);
  file.set(header);
  let position = header.length;
  for (const { data } of tensors.values()) {
    const stored = type === "F32" ? data : encodeBfloat16(data);
    file.set(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength), position);
    position += stored.byteLength;
  }
  return file;
}
