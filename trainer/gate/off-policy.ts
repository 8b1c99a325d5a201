/**
 * What a candidate's mean reward would have been on logged exchanges: self-normalised importance sampling (Hesterberg
 * 1995) with whole-reply ratios, as whole replies are what was rewarded.
 *
 * Departures from the textbook: the candidate is taken at the logged temperature but without top-k and top-p, which the
 * logged log-probs include, so a ratio is too small by the probability that they cut off; self-normalisation takes out
 * the part of it that is common to all replies.
 */
import { bootstrap } from "./intervals.ts";

export interface WeighedReply {
  /** log(candidate / behaviour) of the whole reply, nats. */
  logRatio: number;
  reward: number;
}

export interface OffPolicyEstimate {
  /** sum w r / sum w. */
  estimate: number;
  /** Bootstrap interval over replies. */
  low: number;
  high: number;
  /** The same with weights cut at sqrt(n) times their mean (Ionides 2008): biased, but not at the mercy of one reply. */
  truncated: number;
  /** (sum w)^2 / sum w^2 (Kong 1992), in replies. */
  effectiveSampleSize: number;
  n: number;
  /** Mean logged reward: what the policies that wrote the log got. */
  baseline: number;
}

/** Below this many effective replies the interval itself means nothing, as one weight decides it. */
export const leastEffectiveSample = 20;

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Weights up to a common factor, the largest 1. */
function weightsOf(replies: readonly WeighedReply[]): number[] {
  const largest = Math.max(...replies.map(({ logRatio }) => logRatio));
  return replies.map(({ logRatio }) => Math.exp(logRatio - largest));
}

/** (sum w)^2 / sum w^2. */
export function effectiveSampleSize(weights: readonly number[]): number {
  return sum(weights) ** 2 / sum(weights.map((weight) => weight * weight));
}

/** Each weight at most sqrt(n) times the mean weight. */
export function truncatedWeights(weights: readonly number[]): number[] {
  const most = sum(weights) / Math.sqrt(weights.length);
  return weights.map((weight) => Math.min(weight, most));
}

/** @returns null when the candidate is too far from the policies that wrote the log, or the log too small, to say */
export function offPolicyEstimate(
  replies: readonly WeighedReply[],
  options: { confidence: number; seed: number },
): OffPolicyEstimate | null {
  if (replies.length < leastEffectiveSample) return null;
  const weights = weightsOf(replies);
  const size = effectiveSampleSize(weights);
  if (!(size >= leastEffectiveSample)) return null;
  const weighted = (of: readonly number[]) => sum(replies.map(({ reward }, i) => reward * (of[i] as number))) / sum(of);
  const rows = replies.map(({ reward }, i) => [(weights[i] as number) * reward, weights[i] as number]);
  const interval = bootstrap(rows, ([numerator = 0, denominator = 0]) => numerator / denominator, options);
  return {
    ...interval,
    truncated: weighted(truncatedWeights(weights)),
    effectiveSampleSize: size,
    n: replies.length,
    baseline: sum(replies.map(({ reward }) => reward)) / replies.length,
  };
}
