/** The largest eigenvalues of a symmetric matrix, by subspace iteration (Halko, Martinsson & Tropp 2011). */
import { seededRandom } from "../random.ts";

/** Columns iterated besides those that are wanted: the last wanted ones settle sooner. */
const extraColumns = 24;

export interface Eigen {
  /** [count], largest magnitude first. */
  values: Float64Array;
  /** [size, count]: column k belongs to values[k]. */
  vectors: Float64Array;
}

/**
 * @param matrix [size, size], symmetric; zeros cost nothing
 * @param rounds of iteration; each shrinks the rest by the ratio of eigenvalues squared
 */
export function largestEigenvectors(matrix: Float32Array, size: number, count: number, rounds = 6, seed = 1): Eigen {
  const width = Math.min(size, count + extraColumns);
  const random = seededRandom(seed);
  let basis = Float64Array.from({ length: size * width }, () => random.normal());
  for (let round = 0; round < rounds; round++) {
    orthonormalize(basis, size, width);
    basis = multiply(matrix, basis, size, width);
  }
  orthonormalize(basis, size, width);
  const image = multiply(matrix, basis, size, width);
  const small = new Float64Array(width * width);
  for (let row = 0; row < size; row++) {
    for (let i = 0; i < width; i++) {
      const factor = basis[row * width + i] as number;
      for (let j = 0; j < width; j++) {
        small[i * width + j] = (small[i * width + j] as number) + factor * (image[row * width + j] as number);
      }
    }
  }
  const { values, vectors } = jacobi(small, width);
  const order = [...values.keys()].sort((a, b) => Math.abs(values[b] as number) - Math.abs(values[a] as number));
  const wanted = order.slice(0, count);
  const result = new Float64Array(size * count);
  for (let row = 0; row < size; row++) {
    for (const [k, column] of wanted.entries()) {
      let sum = 0;
      for (let i = 0; i < width; i++) {
        sum += (basis[row * width + i] as number) * (vectors[i * width + column] as number);
      }
      result[row * count + k] = sum;
    }
  }
  return { values: Float64Array.from(wanted, (k) => values[k] as number), vectors: result };
}

/** matrix [size, size] times dense [size, width]. */
function multiply(matrix: Float32Array, dense: Float64Array, size: number, width: number): Float64Array<ArrayBuffer> {
  const result = new Float64Array(size * width);
  for (let row = 0; row < size; row++) {
    const target = result.subarray(row * width, (row + 1) * width);
    for (let column = 0; column < size; column++) {
      const factor = matrix[row * size + column] as number;
      if (factor === 0) continue;
      const source = column * width;
      for (let i = 0; i < width; i++) target[i] = (target[i] as number) + factor * (dense[source + i] as number);
    }
  }
  return result;
}

/**
 * Columns of [size, width] to length 1 and right angles, in place, by modified Gram-Schmidt. A column that depends on
 * those before it becomes zero: what rounding leaves of it points anywhere.
 */
function orthonormalize(columns: Float64Array, size: number, width: number): void {
  const lengthOf = (column: number) => {
    let squares = 0;
    for (let at = column; at < size * width; at += width) squares += (columns[at] as number) ** 2;
    return Math.sqrt(squares);
  };
  for (let i = 0; i < width; i++) {
    const before = lengthOf(i);
    for (let j = 0; j < i; j++) {
      let overlap = 0;
      for (let at = 0; at < size * width; at += width) {
        overlap += (columns[at + i] as number) * (columns[at + j] as number);
      }
      for (let at = 0; at < size * width; at += width) {
        columns[at + i] = (columns[at + i] as number) - overlap * (columns[at + j] as number);
      }
    }
    const length = lengthOf(i);
    const factor = length > before * 1e-9 ? 1 / length : 0;
    for (let at = i; at < size * width; at += width) columns[at] = (columns[at] as number) * factor;
  }
}

/** All eigenvalues of a small symmetric matrix by cyclic Jacobi rotations; it is used up. */
export function jacobi(matrix: Float64Array, size: number): { values: Float64Array; vectors: Float64Array } {
  const vectors = new Float64Array(size * size);
  for (let i = 0; i < size; i++) vectors[i * size + i] = 1;
  const rotate = (target: Float64Array, p: number, q: number, stride: number, cos: number, sin: number) => {
    for (let k = 0; k < size; k++) {
      const a = target[p + k * stride] as number;
      const b = target[q + k * stride] as number;
      target[p + k * stride] = cos * a - sin * b;
      target[q + k * stride] = sin * a + cos * b;
    }
  };
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) {
        const value = matrix[p * size + q] as number;
        off += value * value;
        if (value === 0) continue;
        const theta = ((matrix[q * size + q] as number) - (matrix[p * size + p] as number)) / (2 * value);
        const tan = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const cos = 1 / Math.sqrt(tan * tan + 1);
        rotate(matrix, p, q, size, cos, tan * cos);
        rotate(matrix, p * size, q * size, 1, cos, tan * cos);
        rotate(vectors, p, q, size, cos, tan * cos);
      }
    }
    if (off < 1e-18) break;
  }
  return { values: Float64Array.from({ length: size }, (_, i) => matrix[i * size + i] as number), vectors };
}
