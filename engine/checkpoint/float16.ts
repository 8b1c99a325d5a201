/** Half-precision formats of checkpoint files to and from float32. */

/** bfloat16 is the upper half of a float32. Fills `values` where given. */
export function decodeBfloat16(bits: Uint16Array, values: Float32Array = new Float32Array(bits.length)): Float32Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] as number) << 16;
  return values;
}

/** Rounds to nearest, ties to even. */
export function encodeBfloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    const noNumber = (word & 0x7fffffff) > 0x7f800000;
    bits[i] = noNumber ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return bits;
}

/** IEEE 754 binary16, rounded to nearest. */
export function encodeFloat16(values: Float32Array): Uint16Array {
  return new Uint16Array(new Float16Array(values).buffer);
}

function float16Value(word: number): number {
  const sign = word & 0x8000 ? -1 : 1;
  const exponent = (word >>> 10) & 0x1f;
  const fraction = word & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** All 65,536 values: looking up is what makes a checkpoint of a billion weights readable in seconds. */
let float16Values: Float32Array | undefined;

/** IEEE 754 binary16. Fills `values` where given. */
export function decodeFloat16(bits: Uint16Array, values: Float32Array = new Float32Array(bits.length)): Float32Array {
  float16Values ??= Float32Array.from({ length: 65_536 }, (_, word) => float16Value(word));
  for (let i = 0; i < bits.length; i++) values[i] = float16Values[bits[i] as number] as number;
  return values;
}
