/** Share of different n-grams (Li et al. 2016, "distinct-n") of a candidate's replies against the baseline's. */
import { halfSampleInterval, type Interval, type IntervalOptions } from "./intervals.ts";

export interface ReplyPair {
  candidate: readonly number[];
  baseline: readonly number[];
}

/** N-grams of one side numbered from 0, a list a reply. */
interface NumberedGrams {
  grams: number[][];
  different: number;
}

function numberGrams(replies: readonly (readonly number[])[], n: number): NumberedGrams {
  const numbers = new Map<string, number>();
  const grams = replies.map((tokens) =>
    tokens.slice(n - 1).map((_, i) => {
      const gram = tokens.slice(i, i + n).join();
      const known = numbers.get(gram) ?? numbers.size;
      numbers.set(gram, known);
      return known;
    }),
  );
  return { grams, different: numbers.size };
}

/** distinct-n of the replies at these places; NaN where they hold no n-gram. */
function distinct({ grams, different }: NumberedGrams, places: readonly number[]): number {
  const seen = new Uint8Array(different);
  let [all, found] = [0, 0];
  for (const place of places) {
    for (const gram of grams[place] as number[]) {
      all += 1;
      if (seen[gram] === 0) found += 1;
      seen[gram] = 1;
    }
  }
  return found / all;
}

export interface DistinctComparison {
  candidate: number;
  baseline: number;
  /** Candidate over baseline. */
  ratio: Interval;
}

/**
 * Compares distinct-n over token ids. Longer texts repeat more, so both replies to a prompt are cut to the length of the
 * shorter one.
 *
 * @returns null where a side holds no n-gram: nothing was measured
 */
export function compareDistinct(
  pairs: readonly ReplyPair[],
  n: number,
  options: IntervalOptions,
): DistinctComparison | null {
  const shorter = pairs.map(({ candidate, baseline }) => Math.min(candidate.length, baseline.length));
  const cut = (side: keyof ReplyPair) => pairs.map((pair, i) => pair[side].slice(0, shorter[i]));
  const [ours, theirs] = [numberGrams(cut("candidate"), n), numberGrams(cut("baseline"), n)];
  if (ours.different === 0) return null;
  const all = pairs.map((_, i) => i);
  const logRatio = halfSampleInterval(
    pairs.length,
    (places) => {
      const value = Math.log(distinct(ours, places) / distinct(theirs, places));
      // Half of the prompts without any n-gram says nothing either way.
      return Number.isFinite(value) ? value : 0;
    },
    options,
  );
  const { estimate, low, high } = logRatio;
  return {
    candidate: distinct(ours, all),
    baseline: distinct(theirs, all),
    ratio: { estimate: Math.exp(estimate), low: Math.exp(low), high: Math.exp(high) },
  };
}
