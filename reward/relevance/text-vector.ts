/**
 * A text as two vectors: the stems it holds, and the mean of the vectors of these stems. The first sees that two texts
 * name the same thing, the second that they name things of one kind.
 *
 * Each stem weighs (1 + ln count) * idf, the classic of information retrieval (Salton & Buckley 1988).
 */
import { wordsOf } from "../text/words.ts";
import { stem } from "./stem.ts";
import type { StemTable } from "./stem-table.ts";

export interface TextVector {
  /** Stem to weight; of length 1 together, or empty. */
  stems: ReadonlyMap<string, number>;
  /** [dimensions], of length 1, or zero where none of the stems is known. */
  mean: Float64Array;
}

export const stemsOf = (text: string): string[] => wordsOf(text).map(stem);

export function textVector(text: string, table: StemTable): TextVector {
  const { rows, idf, unknownIdf, vectors, dimensions } = table;
  const counts = new Map<string, number>();
  for (const stemmed of stemsOf(text)) counts.set(stemmed, (counts.get(stemmed) ?? 0) + 1);
  const weights = new Map<string, number>();
  const mean = new Float64Array(dimensions);
  for (const [stemmed, count] of counts) {
    const row = rows.get(stemmed);
    const weight = (1 + Math.log(count)) * (row === undefined ? unknownIdf : (idf[row] as number));
    weights.set(stemmed, weight);
    if (row === undefined) continue;
    for (let i = 0; i < dimensions; i++) {
      mean[i] = (mean[i] as number) + weight * (vectors[row * dimensions + i] as number);
    }
  }
  const length = Math.hypot(...weights.values()) || 1;
  const meanLength = Math.hypot(...mean) || 1;
  return {
    stems: new Map([...weights].map(([stemmed, weight]) => [stemmed, weight / length])),
    mean: mean.map((value) => value / meanLength),
  };
}

/** What the second cosine counts beside the first; found on held-out pairs (docs/rewards.md). */
const meanWeight = 0.5;

/** Weighted mean of the two cosines, -1..1; 0 where one of the texts has no words. */
export function similarity(a: TextVector, b: TextVector): number {
  let shared = 0;
  for (const [stemmed, weight] of a.stems) shared += weight * (b.stems.get(stemmed) ?? 0);
  const kindred = a.mean.reduce((sum, value, i) => sum + value * (b.mean[i] as number), 0);
  return (shared + meanWeight * kindred) / (1 + meanWeight);
}
