import type { ToxicityScore } from "../types.ts";

/**
 * Harmlessness of a text: the log-odds in nats that it is not toxic, clipped to ±`bound`.
 *
 * Log-odds and not probabilities, since the raw logit of "neutral" converged best in TRL's detoxification example: a
 * probability is flat where a classifier is sure. Beyond the bound nothing is to be gained by being ever more harmless.
 */
export function harmlessness({ logit }: Pick<ToxicityScore, "logit">, bound: number): number {
  return Math.max(-bound, Math.min(bound, -logit));
}
