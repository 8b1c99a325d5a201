/** Weights as 8-bit numbers with one scale an output row: the vector-wise form of LLM.int8() (Dettmers et al. 2022). */

/** Stands for zero: values are kept unsigned, as the runtime's exact integer product wants them. */
const int8Zero = 128;

export interface Int8Rows {
  /** [input, output]: 128 + round(W[output, input] / scales[output]), from 1 to 255. */
  values: Uint8Array;
  /** [output]: max |W[output, :]| / 127. */
  scales: Float32Array;
}

export function int8Rows(outputSize: number, inputSize: number): Int8Rows {
  return { values: new Uint8Array(inputSize * outputSize), scales: new Float32Array(outputSize) };
}

/**
 * Quantizes some output rows into their places.
 *
 * @param rows [count, input], row-major
 * @param first the output that rows[0] belongs to
 */
export function quantizeInt8Rows(into: Int8Rows, rows: Float32Array, first: number): void {
  const outputSize = into.scales.length;
  const inputSize = into.values.length / outputSize;
  const count = rows.length / inputSize;
  const inverse = new Float64Array(count);
  for (let row = 0; row < count; row++) {
    let largest = 0;
    for (let i = 0; i < inputSize; i++) largest = Math.max(largest, Math.abs(rows[row * inputSize + i] as number));
    into.scales[first + row] = largest / 127;
    inverse[row] = largest === 0 ? 0 : 127 / largest;
  }
  // Input by input, as neighbouring outputs are neighbours in the result.
  for (let i = 0; i < inputSize; i++) {
    const at = i * outputSize + first;
    for (let row = 0; row < count; row++) {
      const level = Math.round((rows[row * inputSize + i] as number) * (inverse[row] as number));
      into.values[at + row] = int8Zero + level;
    }
  }
}
