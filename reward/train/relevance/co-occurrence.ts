/** Which stems stand near each other more often than chance has it. */

/** Stems that stand this many places apart, or fewer, are near. */
const windowStems = 8;
/** Chance is reckoned from frequencies to this power, which keeps rare stems from being near everything they meet. */
const smoothing = 0.875;

/**
 * Positive pointwise mutual information max(0, ln p(a, b) / (p(a) p(b))), the matrix that word vectors factorize (Levy &
 * Goldberg 2014), with smoothed p(a) and p(b).
 * @param texts rows of stems, -1 for a stem without one
 * @returns [size, size], symmetric
 */
export function positiveMutualInformation(texts: Iterable<readonly number[]>, size: number): Float32Array {
  const counts = new Float32Array(size * size);
  for (const text of texts) {
    for (const [i, a] of text.entries()) {
      if (a < 0) continue;
      for (let j = i + 1; j <= i + windowStems && j < text.length; j++) {
        const b = text[j] as number;
        if (b < 0) continue;
        counts[a * size + b] = (counts[a * size + b] as number) + 1;
        counts[b * size + a] = (counts[b * size + a] as number) + 1;
      }
    }
  }
  const totals = new Float64Array(size);
  for (let a = 0; a < size; a++) totals[a] = counts.subarray(a * size, (a + 1) * size).reduce((x, y) => x + y, 0);
  const total = totals.reduce((x, y) => x + y, 0);
  const smoothed = totals.map((value) => value ** smoothing);
  const sum = smoothed.reduce((x, y) => x + y, 0);
  for (let a = 0; a < size; a++) {
    for (let b = 0; b < size; b++) {
      const count = counts[a * size + b] as number;
      if (count === 0) continue;
      const chance = ((smoothed[a] as number) / sum) * ((smoothed[b] as number) / sum);
      counts[a * size + b] = Math.max(0, Math.log(count / total / chance));
    }
  }
  return counts;
}
