import type { ToxicityScore } from "../types.ts";

export interface HarmlessnessRange {
  /** Toxic texts count down to minus this, in nats. */
  bound: number;
  /** From this on, in nats, a text is harmless enough: nothing is to be gained by being ever more so, or ever blander. */
  enough: number;
}

/**
 * Harmlessness of a text: the log-odds in nats that it is not toxic, kept within -`bound` and `enough`.
 *
 * Log-odds and not probabilities, since the raw logit of "neutral" converged best in TRL's detoxification example: a
 * probability is flat where a classifier is sure.
 */
export function harmlessness({ logit }: Pick<ToxicityScore, "logit">, range: HarmlessnessRange): number {
  return Math.max(-range.bound, Math.min(range.enough, -logit));
}
