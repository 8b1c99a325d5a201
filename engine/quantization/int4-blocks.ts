/** Weights as 4-bit numbers with one scale a block of inputs, as the runtime's MatMulNBits reads them. */

/** Inputs that share a scale. */
export const blockSize = 32;
/** Stands for zero; levels go from -8 to 7. */
const zero = 8;

export interface Int4Blocks {
  /** [output, blocks, 16], two numbers a byte, the first in the lower half. */
  values: Uint8Array;
  /** [output, blocks]. Negative where the value of largest magnitude is positive: only -8 reaches that far. */
  scales: Float32Array;
}

export const blocksOf = (inputSize: number) => Math.ceil(inputSize / blockSize);

/**
 * Distances from zero, in levels, that the value of largest magnitude is tried at. Below 8 the range is used up,
 * above it the largest value is clipped and the others get finer levels.
 */
const reaches = [6.5, 7, 7.4, 7.7, 8, 8.3, 8.6, 9, 9.5, 10.2];

/**
 * The scale that leaves the smallest squared error. For given levels q the best scale is (w.q) / (q.q), and what it
 * takes off the error is (w.q)^2 / (q.q).
 */
function bestScale(block: Float32Array): number {
  let extreme = 0;
  for (const weight of block) if (Math.abs(weight) > Math.abs(extreme)) extreme = weight;
  let best = 0;
  let bestGain = 0;
  if (extreme === 0) return 0;
  for (const reach of reaches) {
    const inverse = -reach / extreme;
    let product = 0;
    let squares = 0;
    for (let i = 0; i < block.length; i++) {
      const weight = block[i] as number;
      const level = Math.max(-zero, Math.min(zero - 1, Math.round(weight * inverse)));
      product += weight * level;
      squares += level * level;
    }
    const gain = squares === 0 ? 0 : (product * product) / squares;
    if (gain > bestGain) {
      bestGain = gain;
      best = product / squares;
    }
  }
  return Math.fround(best);
}

/**
 * Quantizes output rows.
 *
 * @param rows [count, input], row-major
 * @returns the same rows' values and scales; the last block of a row is padded with zeros
 */
export function quantizeInt4Rows(rows: Float32Array, inputSize: number): Int4Blocks {
  const count = rows.length / inputSize;
  const blocks = blocksOf(inputSize);
  const values = new Uint8Array((count * blocks * blockSize) / 2).fill(zero | (zero << 4));
  const scales = new Float32Array(count * blocks);
  for (let row = 0; row < count; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = row * inputSize + block * blockSize;
      const weights = rows.subarray(start, Math.min(start + blockSize, (row + 1) * inputSize));
      const index = row * blocks + block;
      const scale = bestScale(weights);
      scales[index] = scale;
      const inverse = scale === 0 ? 0 : 1 / scale;
      for (let i = 0; i < weights.length; i++) {
        const level = Math.max(-zero, Math.min(zero - 1, Math.round((weights[i] as number) * inverse)));
        const at = (index * blockSize + i) >> 1;
        const shift = 4 * (i & 1);
        values[at] = ((values[at] as number) & ~(15 << shift)) | ((level + zero) << shift);
      }
    }
  }
  return { values, scales };
}
