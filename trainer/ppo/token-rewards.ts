export interface TokenRewardOptions {
  /** Coefficient of the KL penalty, beta. */
  klCoefficient: number;
  /** Taken off a reply that was cut by a length limit. */
  missingEndPenalty: number;
}

/**
 * Rewards token by token (Ziegler et al. 2019): each pays for drifting from the reference, the last earns the reply's
 * reward: r_t = beta (log reference_t - log old_t) + [t = last] (reward - [never ended] penalty).
 */
export function tokenRewards(
  reply: { reward: number; ended: boolean },
  oldLogProbs: Float32Array,
  referenceLogProbs: Float32Array,
  { klCoefficient, missingEndPenalty }: TokenRewardOptions,
): Float32Array {
  const rewards = oldLogProbs.map((old, t) => klCoefficient * ((referenceLogProbs[t] as number) - old));
  const last = rewards.length - 1;
  rewards[last] = (rewards[last] as number) + reply.reward - (reply.ended ? 0 : missingEndPenalty);
  return rewards;
}
