/** float32 rows as ggml stores them: plain, half precision, or blocks of 32 that share a half-precision scale. */
import { encodeFloat16 } from "../../engine/checkpoint/float16.ts";
import { type TensorType, tensorTypes } from "./gguf.ts";

const block = 32;
const half = new Uint16Array(1);
const halfValue = new Float16Array(half.buffer);

/** Writes the scale's bits and returns its inverse, 0 for a block of zeros. ggml divides before it rounds the scale. */
function putScale(bytes: Uint8Array, at: number, scale: number): number {
  halfValue[0] = scale;
  bytes[at] = (half[0] as number) & 255;
  bytes[at + 1] = (half[0] as number) >>> 8;
  return scale === 0 ? 0 : 1 / scale;
}

/** Levels -8 to 7; the value of largest magnitude becomes -8. Values i and i + 16 of a block share a byte. */
function q40(rows: Float32Array): Uint8Array {
  const { blockBytes } = tensorTypes.Q4_0;
  const bytes = new Uint8Array((rows.length / block) * blockBytes);
  for (let start = 0, at = 0; start < rows.length; start += block, at += blockBytes) {
    let extreme = 0;
    for (let i = 0; i < block; i++) {
      const value = rows[start + i] as number;
      if (Math.abs(value) > Math.abs(extreme)) extreme = value;
    }
    const inverse = putScale(bytes, at, extreme / -8);
    for (let i = 0; i < block / 2; i++) {
      const low = Math.min(15, ((rows[start + i] as number) * inverse + 8.5) | 0);
      const high = Math.min(15, ((rows[start + block / 2 + i] as number) * inverse + 8.5) | 0);
      bytes[at + 2 + i] = low | (high << 4);
    }
  }
  return bytes;
}

/** Levels -127 to 127. */
function q80(rows: Float32Array): Uint8Array {
  const { blockBytes } = tensorTypes.Q8_0;
  const bytes = new Uint8Array((rows.length / block) * blockBytes);
  for (let start = 0, at = 0; start < rows.length; start += block, at += blockBytes) {
    let largest = 0;
    for (let i = 0; i < block; i++) largest = Math.max(largest, Math.abs(rows[start + i] as number));
    const inverse = putScale(bytes, at, largest / 127);
    for (let i = 0; i < block; i++) bytes[at + 2 + i] = Math.round((rows[start + i] as number) * inverse);
  }
  return bytes;
}

const asBytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView<ArrayBuffer>) =>
  new Uint8Array(buffer, byteOffset, byteLength);

const encoders: Record<TensorType, (rows: Float32Array<ArrayBuffer>) => Uint8Array> = {
  F32: asBytes,
  F16: (rows) => asBytes(encodeFloat16(rows) as Uint16Array<ArrayBuffer>),
  Q4_0: q40,
  Q8_0: q80,
};

/** @param rows whole rows; for the quantized types rows must be a multiple of 32 long */
export function encodeRows(type: TensorType, rows: Float32Array): Uint8Array {
  return encoders[type](rows as Float32Array<ArrayBuffer>);
}
