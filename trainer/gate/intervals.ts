/** Confidence intervals of paired comparisons. Pairs (one a prompt) are independent; everything is seeded. */
import { seededRandom } from "../pretrain/shuffle.ts";

export interface Interval {
  estimate: number;
  low: number;
  high: number;
}

export interface IntervalOptions {
  /** Probability that the interval covers the truth, both sides together. */
  confidence: number;
  seed: number;
}

const resamples = 4000;

/** Value below which a share `p` of the sorted numbers lies, linear between neighbours. */
function quantile(sorted: Float64Array, p: number): number {
  const at = p * (sorted.length - 1);
  const below = Math.floor(at);
  const [low = Number.NaN, high = low] = [sorted[below], sorted[below + 1]];
  return low + (at - below) * (high - low);
}

/**
 * Percentile bootstrap (Efron 1979) over rows, one a prompt, of a function of the column means.
 *
 * @param rows [n, columns]
 * @param statistic of the column means, such as their ratio
 * @throws RangeError without rows
 */
export function bootstrap(
  rows: readonly (readonly number[])[],
  statistic: (means: readonly number[]) => number,
  { confidence, seed }: IntervalOptions,
): Interval {
  const [first] = rows;
  if (first === undefined) throw new RangeError("there is nothing to resample");
  const random = seededRandom(seed);
  const columns = first.length;
  const meansOf = (pick: (i: number) => readonly number[]): number[] => {
    const sums = new Array<number>(columns).fill(0);
    for (let i = 0; i < rows.length; i++) {
      const row = pick(i);
      for (let c = 0; c < columns; c++) sums[c] = (sums[c] as number) + (row[c] as number);
    }
    return sums.map((sum) => sum / rows.length);
  };
  const drawn = Float64Array.from({ length: resamples }, () =>
    statistic(meansOf(() => rows[Math.floor(random() * rows.length)] as readonly number[])),
  ).sort();
  const tail = (1 - confidence) / 2;
  const estimate = statistic(meansOf((i) => rows[i] as readonly number[]));
  return { estimate, low: quantile(drawn, tail), high: quantile(drawn, 1 - tail) };
}

/** Of the mean of one number a prompt. */
export function meanInterval(values: readonly number[], options: IntervalOptions): Interval {
  return bootstrap(
    values.map((value) => [value]),
    ([mean = Number.NaN]) => mean,
    options,
  );
}

/**
 * Inverse of the standard normal distribution function by Newton's method on a series for the function itself (Marsaglia
 * 2004), which converges for every p that a confidence level asks for.
 */
export function normalQuantile(p: number): number {
  if (!(p > 1e-9 && p < 1 - 1e-9)) throw new RangeError(`expected a probability well inside 0..1, got ${p}`);
  const density = (x: number) => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  const distribution = (x: number) => {
    let [sum, term] = [x, x];
    for (let i = 3; Math.abs(term) > 1e-17 && i < 400; i += 2) {
      term *= (x * x) / i;
      sum += term;
    }
    return 0.5 + sum * density(x);
  };
  let x = 0;
  for (let i = 0; i < 60; i++) x = Math.max(-6.5, Math.min(6.5, x - (distribution(x) - p) / density(x)));
  return x;
}

/** Score interval of a proportion (Wilson 1927). */
function wilson(successes: number, n: number, z: number): { low: number; high: number } {
  const p = successes / n;
  const scale = 1 + (z * z) / n;
  const centre = (p + (z * z) / (2 * n)) / scale;
  const half = (z / scale) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

/** How many pairs said yes on both sides, on one, on neither. */
export interface PairedCounts {
  both: number;
  firstOnly: number;
  secondOnly: number;
  neither: number;
}

/**
 * Interval of the difference of two proportions on the same prompts, first less second: Newcombe (1998), "Improved
 * confidence intervals for the difference between binomial proportions based on paired data", method 10. Unlike a
 * bootstrap it is not of width zero where no pair disagrees.
 *
 * @throws RangeError without pairs
 */
export function pairedProportions(
  { both, firstOnly, secondOnly, neither }: PairedCounts,
  confidence: number,
): Interval {
  const n = both + firstOnly + secondOnly + neither;
  if (n === 0) throw new RangeError("there are no pairs to compare");
  const z = normalQuantile(1 - (1 - confidence) / 2);
  const [first, second] = [both + firstOnly, both + secondOnly];
  const [p1, p2] = [first / n, second / n];
  const [w1, w2] = [wilson(first, n, z), wilson(second, n, z)];
  const product = first * (n - first) * second * (n - second);
  const agreement = both * neither - firstOnly * secondOnly;
  const corrected = agreement > 0 ? Math.max(agreement - n / 2, 0) : agreement;
  const phi = product === 0 ? 0 : corrected / Math.sqrt(product);
  const width = (a: number, b: number) => Math.sqrt(Math.max(0, a * a - 2 * phi * a * b + b * b));
  const estimate = (firstOnly - secondOnly) / n;
  return {
    estimate,
    low: estimate - width(p1 - w1.low, w2.high - p2),
    high: estimate + width(w1.high - p1, p2 - w2.low),
  };
}

/**
 * Of a statistic that resampling with replacement would distort, such as a count of different n-grams: the spread over
 * random halves of the prompts is the spread of the whole (McCarthy 1969, "Pseudo-replication: half-samples").
 *
 * @param statistic of the prompts at these places; a value on a scale where a normal distribution is a fair approximation
 */
export function halfSampleInterval(
  count: number,
  statistic: (places: readonly number[]) => number,
  { confidence, seed }: IntervalOptions,
): Interval {
  const halves = 400;
  const random = seededRandom(seed);
  const places = Array.from({ length: count }, (_, i) => i);
  const estimate = statistic(places);
  const values = Array.from({ length: halves }, () => {
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [places[i], places[j]] = [places[j] as number, places[i] as number];
    }
    return statistic(places.slice(0, Math.ceil(count / 2)));
  });
  const mean = values.reduce((sum, value) => sum + value, 0) / halves;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (halves - 1));
  const half = normalQuantile(1 - (1 - confidence) / 2) * deviation;
  return { estimate, low: estimate - half, high: estimate + half };
}
