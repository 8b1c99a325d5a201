import type { Interval } from "../protocol/index.ts";

/** Running mean and variance (Welford 1962) of numbers without bounds, such as rewards. */
export interface Moments {
  readonly n: number;
  readonly mean: number;
  /** Sum of squared deviations from the mean. */
  readonly squares: number;
}

export const noMoments: Moments = { n: 0, mean: 0, squares: 0 };

export function addValue({ n, mean, squares }: Moments, value: number): Moments {
  const next = mean + (value - mean) / (n + 1);
  return { n: n + 1, mean: next, squares: squares + (value - mean) * (value - next) };
}

/**
 * Asymptotic confidence sequence for a mean: mean ± s sqrt(2 (n r² + 1) / (n² r²) ln(sqrt(n r² + 1) / alpha)), s the
 * standard deviation and r chosen so that it is narrowest near n = `planned`. As the central limit theorem's interval it
 * wants no bounds and holds in the limit; unlike it, it holds at all n at once.
 *
 * Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
 * sequences", Annals of Statistics 52 (2024), theorem 2.2 and equation (10).
 * @returns without bounds when there are fewer than two values
 */
export function asymptoticSequence({ n, mean, squares }: Moments, alpha: number, planned: number): Interval {
  if (n < 2) return { estimate: mean, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  const spread = -2 * Math.log(alpha);
  const rhoSquared = (spread + Math.log(spread + 1)) / planned;
  const grown = n * rhoSquared + 1;
  const deviation = Math.sqrt(squares / (n - 1));
  const width = deviation * Math.sqrt(((2 * grown) / (n * n * rhoSquared)) * Math.log(Math.sqrt(grown) / alpha));
  return { estimate: mean, low: mean - width, high: mean + width };
}
