export interface TokenRewardOptions {
  /** Times the reply's reward; see `rewardScale`. */
  rewardScale: number;
  /** Coefficient of the KL penalty, beta. */
  klCoefficient: number;
  /** Taken off a reply that was cut by a length limit. */
  missingEndPenalty: number;
}

/**
 * Rewards token by token (Ziegler et al. 2019): each pays for drifting from the reference, the last earns the reply's
 * reward: r_t = beta (log reference_t - log old_t) + [t = last] (scale reward - [never ended] penalty).
 */
export function tokenRewards(
  reply: { reward: number; ended: boolean },
  oldLogProbs: Float32Array,
  referenceLogProbs: Float32Array,
  { rewardScale, klCoefficient, missingEndPenalty }: TokenRewardOptions,
): Float32Array {
  const rewards = oldLogProbs.map((old, t) => klCoefficient * ((referenceLogProbs[t] as number) - old));
  const last = rewards.length - 1;
  rewards[last] = (rewards[last] as number) + rewardScale * reply.reward - (reply.ended ? 0 : missingEndPenalty);
  return rewards;
}

/** Below this standard deviation rewards are the same for all that matters. */
const leastDeviation = 1e-6;

/**
 * 1 / (population) standard deviation of the rewards, or 1 where they do not differ: whatever range a reward model has,
 * the KL penalty, the value clip and the critic's learning rate mean the same.
 */
export function rewardScale(rewards: readonly number[]): number {
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
  const variance = rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0) / rewards.length;
  const deviation = Math.sqrt(variance);
  return deviation > leastDeviation ? 1 / deviation : 1;
}
