/**
 * Statements about the mean of values in 0..1 that hold however often one looks, and whenever one stops.
 *
 * Somebody who doubts that the mean is at most m bets a share c of a capital of 1 on each value x, at odds that are fair
 * for a mean of m: the capital is multiplied by 1 + c (x/m - 1). As long as the expectation of each value, given those
 * before, is at most m, the capital is a non-negative supermartingale, and by Ville's inequality it ever reaches 1/alpha
 * with probability alpha at most. Since nobody knows the best c, the capital is spread over several:
 *
 *     K_n(m) = 1/J sum_j prod_i (1 + c_j (x_i / m - 1)),   0 < c_j < 1
 *
 * The confidence sequence is the set of all m whose K_n stays below 1/alpha.
 *
 * Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024),
 * sections 3 and 4. Deviations: the bets are constant (mixed over a fixed grid, as in Robbins' method of mixtures) and
 * not tuned to what was seen before, so that the result depends on no order (a flag that comes late counts where it
 * belongs) and so that K grows with every value: counting too few flags never raises a false alarm. Values are rounded
 * to a grid on the safe side (unit-tally.ts).
 */
import type { UnitTally } from "./unit-tally.ts";

/** Shares of the capital that are bet: 1 / (1 + exp(-z)), from 0.7% (small differences) to 95% (gross ones). */
const bets = [-5, -4, -3, -2, -1, 0, 1, 2, 3].map((z) => 1 / (1 + Math.exp(-z)));

/** ln sum exp, without overflow. */
function logSumExp(values: readonly number[]): number {
  const most = Math.max(...values);
  return most === Number.NEGATIVE_INFINITY ? most : most + Math.log(values.reduce((s, v) => s + Math.exp(v - most), 0));
}

function logCapital(counts: readonly number[], mean: number): number {
  const last = counts.length - 1;
  const capitals = bets.map((bet) => {
    let sum = 0;
    for (const [index, count] of counts.entries()) {
      if (count > 0) sum += count * Math.log1p(bet * (index / last / mean - 1));
    }
    return sum;
  });
  return logSumExp(capitals) - Math.log(bets.length);
}

/**
 * ln K_n(m), the evidence (nats) that the values' mean is above `mean`: at least ln(1/alpha) ever only with probability
 * alpha if it is not.
 * @param mean 0..1; a mean above 1 cannot be, so that nothing speaks for it
 */
export function evidenceAbove(tally: UnitTally, mean: number): number {
  if (mean >= 1) return Number.NEGATIVE_INFINITY;
  if (mean <= 0) return tally.sum > 0 ? Number.POSITIVE_INFINITY : 0;
  return logCapital(tally.roundedDown, mean);
}

/** The largest m below which K_n is 1/alpha or more; K_n falls as m grows, so that halving finds it. */
function leastPlausible(counts: readonly number[], alpha: number): number {
  const needed = Math.log(1 / alpha);
  let low = 0;
  let high = 1;
  for (let step = 0; step < 20; step++) {
    const middle = (low + high) / 2;
    if (logCapital(counts, middle) >= needed) low = middle;
    else high = middle;
  }
  return low;
}

/** The mean is below this at any time with probability alpha at most; 0 without values. */
export function lowerBound(tally: UnitTally, alpha: number): number {
  return leastPlausible(tally.roundedDown, alpha);
}

/** The mean is above this at any time with probability alpha at most; 1 without values. */
export function upperBound(tally: UnitTally, alpha: number): number {
  return 1 - leastPlausible([...tally.roundedUp].reverse(), alpha);
}
