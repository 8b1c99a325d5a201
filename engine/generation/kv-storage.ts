/**
 * How cached keys and values are kept. A row is what one head holds of one token; in eight bits each row has a scale of
 * its own, its largest magnitude / 127, so that one large feature coarsens its own row only.
 */

/** fp16 takes half the memory of fp32, int8 a quarter and a scale a row; the step graph widens both. */
export const kvPrecisions = ["fp32", "fp16", "int8"] as const;
export type KvPrecision = (typeof kvPrecisions)[number];

export type Block = Float32Array | Float16Array | Int8Array;

/** One array of a layer's keys or values: so many numbers a row. */
export interface RowPart {
  width: number;
  make(size: number): Block;
}

export interface KvStorage {
  /** First the numbers themselves, then, where they need one, the scale that they are multiplied by. */
  parts: readonly RowPart[];
  /** Bytes of a row, all parts together. */
  rowBytes: number;
  /** Writes rows [n, head size] into `blocks`, one a part, from row `at` on. */
  write(blocks: readonly Block[], at: number, rows: Float32Array): void;
}

const singles = (size: number) => new Float32Array(size);

/** @param headSize numbers of a row */
export function kvStorage(precision: KvPrecision, headSize: number): KvStorage {
  switch (precision) {
    case "fp32":
    case "fp16": {
      const half = precision === "fp16";
      return {
        parts: [{ width: headSize, make: half ? (size) => new Float16Array(size) : singles }],
        rowBytes: (half ? 2 : 4) * headSize,
        write: ([block], at, rows) => block?.set(rows, at * headSize),
      };
    }
    case "int8":
      return {
        parts: [
          { width: headSize, make: (size) => new Int8Array(size) },
          { width: 1, make: singles },
        ],
        rowBytes: headSize + 4,
        write([levels, scales], at, rows) {
          if (levels === undefined || scales === undefined) return;
          for (let row = 0; row * headSize < rows.length; row++) {
            const from = row * headSize;
            scales[at + row] = roundRow(rows.subarray(from, from + headSize), levels, (at + row) * headSize);
          }
        },
      };
  }
}

/** Writes a row's levels, -127 to 127, from index `to` on. @returns the row's scale; a row of zeros has 0 */
function roundRow(row: Float32Array, levels: Block, to: number): number {
  let largest = 0;
  for (const value of row) largest = Math.max(largest, Math.abs(value));
  const inverse = largest > 0 ? 127 / largest : 0;
  for (let i = 0; i < row.length; i++) levels[to + i] = Math.round((row[i] as number) * inverse);
  return largest / 127;
}
