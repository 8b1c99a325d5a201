/** Batches of sequences of like length, so that little is padded. */
import { shuffled } from "./pretrain/shuffle.ts";
import { fedLength, type TokenSequence } from "./token-sequences.ts";

/** Sequences are sorted by length within windows of this many, so that batches still mix differently each epoch. */
const window = 2048;

/**
 * One epoch over the sequences in an order that depends on the seed alone.
 *
 * @param tokensPerBatch most padded tokens (rows times longest row) in a batch; a longer sequence is its own batch
 */
export function lengthBuckets<T extends TokenSequence>(
  sequences: readonly T[],
  tokensPerBatch: number,
  seed: number,
): T[][] {
  const mixed = shuffled(sequences, seed);
  const batches: T[][] = [];
  for (let start = 0; start < mixed.length; start += window) {
    const sorted = mixed.slice(start, start + window).sort((a, b) => fedLength(a) - fedLength(b));
    let batch: T[] = [];
    for (const sequence of sorted) {
      if (batch.length > 0 && (batch.length + 1) * fedLength(sequence) > tokensPerBatch) {
        batches.push(batch);
        batch = [];
      }
      batch.push(sequence);
    }
    batches.push(batch);
  }
  return shuffled(batches, seed + 1);
}
