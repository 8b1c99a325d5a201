/**
 * The safetensors file format: eight bytes of header length, a JSON header, then the tensors' bytes.
 * Everything a damaged or hostile file could say is checked before any data is used.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { CheckpointError } from "../types.ts";
import { decodeBfloat16, decodeFloat16, encodeBfloat16 } from "./float16.ts";

const bytesPerElement = { F32: 4, F16: 2, BF16: 2, U8: 1 } as const;
export type StoredType = keyof typeof bytesPerElement;

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

/** Hands the open file to `use`. @throws CheckpointError where the system cannot open or read it */
function withFile<T>(path: string, use: (read: (offset: number, length: number) => Buffer, size: number) => T): T {
  let descriptor: number | undefined;
  try {
    const open = openSync(path, "r");
    descriptor = open;
    const read = (offset: number, length: number): Buffer => {
      const bytes = Buffer.alloc(length);
      for (let done = 0; done < length; ) {
        const count = readSync(open, bytes, done, Math.min(length - done, longestRead), offset + done);
        if (count === 0) throw new CheckpointError(`${path}: ends at byte ${offset + done}, in the middle of its data`);
        done += count;
      }
      return bytes;
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
  return withFile(path, (read, fileSize) => {
    if (fileSize < 8) fail(`holds ${fileSize} bytes, too few for a safetensors header`);
    const headerSize = Number(read(0, 8).readBigUInt64LE());
    if (headerSize > longestHeader || 8 + headerSize > fileSize) {
      fail(`claims a header of ${headerSize} bytes, but holds ${fileSize} bytes in all`);
    }
    const header = read(8, headerSize);
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
        throw new CheckpointError(
          `${path}: tensor ${name} is of type ${String(dtype)}; F32, F16, BF16 and U8 can be read`,
        );
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

/** One tensor as float32. @throws CheckpointError if it is missing, cut off or no tensor of real numbers */
export function readTensor(file: SafetensorsFile, name: string): Float32Array {
  return readRows(file, name, 0, file.tensors.get(name)?.shape[0] ?? 1);
}

/** `count` rows of a tensor from the first axis' `first` on, as float32. @throws CheckpointError as `readTensor` */
export function readRows(file: SafetensorsFile, name: string, first: number, count: number): Float32Array {
  const stored = file.tensors.get(name);
  if (stored === undefined) throw new CheckpointError(`${file.path}: there is no tensor ${name}`);
  const row = stored.length / Math.max(1, stored.shape[0] ?? 1);
  const { buffer, byteOffset } = withFile(file.path, (read) => read(stored.offset + first * row, count * row));
  return decodeValues(file, name, stored.type, new Uint8Array(buffer, byteOffset, count * row));
}

function decodeValues(
  file: SafetensorsFile,
  name: string,
  type: StoredType,
  { buffer, byteOffset, byteLength }: Uint8Array,
): Float32Array {
  const count = byteLength / bytesPerElement[type];
  if (type === "U8") throw new CheckpointError(`${file.path}: tensor ${name} holds bytes, not real numbers`);
  if (type === "F32") return new Float32Array(buffer, byteOffset, count);
  const bits = new Uint16Array(buffer, byteOffset, count);
  return type === "BF16" ? decodeBfloat16(bits) : decodeFloat16(bits);
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
