/** The inner loops of training over typed arrays. Offsets count elements. */

/** target[to + i] += factor * source[from + i] for i < length. */
export function addScaled(
  target: Float32Array,
  to: number,
  source: Float32Array,
  from: number,
  length: number,
  factor: number,
): void {
  for (let i = 0; i < length; i++) {
    target[to + i] = (target[to + i] as number) + factor * (source[from + i] as number);
  }
}

/** Dot product; four running sums, because one would wait for itself at every step. `length` is a multiple of 4. */
export function dot(a: Float32Array, from: number, b: Float32Array, start: number, length: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let i = 0; i < length; i += 4) {
    s0 += (a[from + i] as number) * (b[start + i] as number);
    s1 += (a[from + i + 1] as number) * (b[start + i + 1] as number);
    s2 += (a[from + i + 2] as number) * (b[start + i + 2] as number);
    s3 += (a[from + i + 3] as number) * (b[start + i + 3] as number);
  }
  return s0 + s1 + (s2 + s3);
}
